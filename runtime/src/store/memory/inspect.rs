//! Looking.

use super::owners::claimed;
use super::{MemoryStore, answer};
use crate::job::Timestamp;
use crate::store::{
    Answer, Census, Claimed, Due, Entry, Inspect, Members, Owner, OwnerInfo, Page, PlaceName,
    QueueInfo, Stat, TimedSet,
};

impl Inspect for MemoryStore {
    fn page<'a>(&'a self, place: &'a PlaceName, cursor: u64, limit: usize) -> Answer<'a, Page> {
        answer(move || {
            let data = self.data();
            let skip = usize::try_from(cursor).unwrap_or(usize::MAX);
            let (all, entries): (usize, Vec<_>) = match place {
                PlaceName::Queue(name) => {
                    let queue = data.queues.get(name);
                    let entries = queue.into_iter().flatten().skip(skip).take(limit);
                    let entries = entries.map(|payload| Entry {
                        payload: payload.clone(),
                        at: None,
                    });
                    (
                        queue.map_or(0, std::collections::VecDeque::len),
                        entries.collect(),
                    )
                }
                PlaceName::Timed(set) => {
                    let entries = data.timed(*set).skip(skip).take(limit).map(entry);
                    (data.timed(*set).count(), entries.collect())
                }
            };
            let end = skip.saturating_add(entries.len());
            Page {
                entries,
                next: (end < all).then_some(end as u64),
            }
        })
    }

    fn due(&self, set: TimedSet, now: Timestamp, limit: usize) -> Answer<'_, Due> {
        answer(move || {
            let data = self.data();
            let entries: Vec<_> = data
                .timed(set)
                .take_while(|(at, _)| *at <= now)
                .take(limit)
                .map(entry)
                .collect();
            let next = data.timed(set).nth(entries.len()).map(|(at, _)| *at);
            Due { entries, next }
        })
    }

    fn find<'a>(&'a self, set: TimedSet, payload: &'a [u8]) -> Answer<'a, Option<Timestamp>> {
        answer(move || self.data().timed.get(&set)?.time(payload))
    }

    fn census(&self) -> Answer<'_, Census> {
        answer(move || {
            let data = self.data();
            let size = |set| data.timed.get(&set).map_or(0, super::Timed::len);
            let queue = |name: &String| {
                let queue = data.queues.get(name.as_str());
                QueueInfo {
                    size: queue.map_or(0, |queue| queue.len() as u64),
                    head: queue.and_then(|queue| queue.front().cloned()),
                    name: name.clone(),
                }
            };
            Census {
                queues: data
                    .members
                    .get(&Members::Queues)
                    .into_iter()
                    .flatten()
                    .map(queue)
                    .collect(),
                schedule: size(TimedSet::Schedule),
                retry: size(TimedSet::Retry),
                dead: size(TimedSet::Dead),
                claimed: data
                    .owners
                    .values()
                    .map(|owner| owner.claims.len() as u64)
                    .sum(),
            }
        })
    }

    fn counter<'a>(&'a self, stat: Stat, day: Option<&'a str>) -> Answer<'a, u64> {
        answer(move || {
            self.data()
                .counters
                .get(&(stat, day.map(str::to_owned)))
                .copied()
                .unwrap_or(0)
        })
    }

    fn members(&self, set: Members) -> Answer<'_, Vec<String>> {
        answer(move || {
            self.data()
                .members
                .get(&set)
                .into_iter()
                .flatten()
                .cloned()
                .collect()
        })
    }

    fn owners(&self) -> Answer<'_, Vec<OwnerInfo>> {
        answer(move || {
            let now = self.now();
            let data = self.data();
            let info = |(owner, registered): (&Owner, &super::Registered)| OwnerInfo {
                owner: owner.clone(),
                left: registered.deadline.since(now),
                held: registered.claims.len() as u64,
            };
            let mut owners: Vec<_> = data.owners.iter().map(info).collect();
            owners.sort_by(|a, b| a.owner.cmp(&b.owner));
            owners
        })
    }

    fn claims<'a>(&'a self, owner: &'a Owner, limit: usize) -> Answer<'a, Vec<Claimed>> {
        answer(move || {
            self.data()
                .owners
                .get(owner)
                .map(|owner| owner.claims.iter().take(limit).map(claimed).collect())
                .unwrap_or_default()
        })
    }
}

fn entry((at, payload): &(Timestamp, bytes::Bytes)) -> Entry {
    Entry {
        payload: payload.clone(),
        at: Some(*at),
    }
}
