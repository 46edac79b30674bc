//! How the model is looked at.

use std::collections::{BTreeSet, VecDeque};

use super::state::State;
use crate::job::Timestamp;
use crate::store::tx::{Members, Owner, Stat, TimedSet};
use crate::store::{Census, Claimed, Due, Entry, OwnerInfo, Page, PlaceName, QueueInfo};

impl State {
    pub(super) fn page(&self, place: &PlaceName, cursor: u64, limit: usize) -> Page {
        let all = match place {
            PlaceName::Queue(name) => self
                .queues
                .get(name)
                .into_iter()
                .flatten()
                .map(|payload| Entry {
                    payload: payload.clone(),
                    at: None,
                })
                .collect(),
            PlaceName::Timed(set) => self.entries(*set),
        };
        let start = usize::try_from(cursor).unwrap_or(usize::MAX).min(all.len());
        let end = start.saturating_add(limit).min(all.len());
        Page {
            entries: all[start..end].to_vec(),
            next: (end < all.len()).then_some(end as u64),
        }
    }

    pub(super) fn due(&self, set: TimedSet, now: Timestamp, limit: usize) -> Due {
        let mut entries = self.entries(set);
        let due = entries
            .iter()
            .filter(|entry| entry.at <= Some(now))
            .count()
            .min(limit);
        let next = entries.get(due).and_then(|entry| entry.at);
        entries.truncate(due);
        Due { entries, next }
    }

    pub(super) fn find(&self, set: TimedSet, payload: &[u8]) -> Option<Timestamp> {
        self.timed.get(&set)?.get(payload).copied()
    }

    pub(super) fn census(&self) -> Census {
        let mut names: BTreeSet<String> = self.queues.keys().map(ToString::to_string).collect();
        names.extend(self.members(Members::Queues));
        let size = |set| self.entries(set).len() as u64;
        Census {
            queues: names
                .into_iter()
                .map(|name| {
                    let queue = self.queues.get(name.as_str());
                    QueueInfo {
                        size: queue.map_or(0, VecDeque::len) as u64,
                        head: queue.and_then(|queue| queue.front().cloned()),
                        name,
                    }
                })
                .collect(),
            schedule: size(TimedSet::Schedule),
            retry: size(TimedSet::Retry),
            dead: size(TimedSet::Dead),
            claimed: self.claims.values().map(|claims| claims.len() as u64).sum(),
        }
    }

    pub(super) fn counter(&self, stat: Stat, day: Option<&str>) -> u64 {
        let key = (stat, day.map(ToOwned::to_owned));
        self.counters.get(&key).copied().unwrap_or_default()
    }

    pub(super) fn members(&self, set: Members) -> Vec<String> {
        self.members
            .get(&set)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    pub(super) fn owners(&self, now: Timestamp) -> Vec<OwnerInfo> {
        self.owners
            .iter()
            .map(|(owner, lease)| OwnerInfo {
                owner: owner.clone(),
                left: lease.deadline.since(now),
                held: self.held(owner).count() as u64,
            })
            .collect()
    }

    pub(super) fn claims(&self, owner: &Owner, limit: usize) -> Vec<Claimed> {
        self.held(owner)
            .take(limit)
            .map(|(token, held)| held.as_claimed(*token))
            .collect()
    }
}
