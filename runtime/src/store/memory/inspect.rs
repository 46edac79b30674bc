//! Looking.

use bytes::Bytes;

use super::owners::claimed;
use super::{MemoryStore, answer};
use crate::job::Timestamp;
use crate::store::{
    Answer, Census, Claimed, Defect, DefectKind, Due, Entry, Fields, Inspect, Key, MAX_DEFECTS,
    Members, Order, Owner, OwnerInfo, Page, PlaceName, QueueInfo, Stat, TimedSet,
};

impl Inspect for MemoryStore {
    fn page<'a>(
        &'a self,
        place: &'a PlaceName,
        order: Order,
        cursor: u64,
        limit: usize,
    ) -> Answer<'a, Page> {
        answer(move || {
            let data = self.data();
            let skip = usize::try_from(cursor).unwrap_or(usize::MAX);
            let mut all: Vec<Entry> = match place {
                PlaceName::Queue(name) => {
                    let queue = data.queues.get(name);
                    let waiting = |payload: &Bytes| Entry {
                        payload: payload.clone(),
                        at: None,
                    };
                    queue.into_iter().flatten().map(waiting).collect()
                }
                PlaceName::Timed(set) => data.timed(*set).map(entry).collect(),
            };
            if order == Order::Backward {
                all.reverse();
            }
            let count = all.len();
            let entries: Vec<_> = all.into_iter().skip(skip).take(limit).collect();
            let end = skip.saturating_add(entries.len());
            Page {
                entries,
                next: (end < count).then_some(end as u64),
            }
        })
    }

    fn scan<'a>(
        &'a self,
        set: TimedSet,
        text: &'a str,
        cursor: u64,
        limit: usize,
    ) -> Answer<'a, Page> {
        answer(move || {
            let data = self.data();
            let skip = usize::try_from(cursor).unwrap_or(usize::MAX);
            let looked_at = data.timed(set).skip(skip).take(limit.max(1));
            let entries = looked_at
                .map(entry)
                .filter(|entry| contains(&entry.payload, text));
            let end = skip.saturating_add(limit.max(1));
            Page {
                entries: entries.collect(),
                next: (end < data.timed(set).count()).then_some(end as u64),
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

    fn at(&self, set: TimedSet, at: Timestamp, cursor: u64, limit: usize) -> Answer<'_, Page> {
        answer(move || {
            let data = self.data();
            let skip = usize::try_from(cursor).unwrap_or(usize::MAX);
            let mut left = data
                .timed(set)
                .skip_while(|(time, _)| *time < at)
                .take_while(|(time, _)| *time == at)
                .map(entry)
                .skip(skip);
            let entries: Vec<_> = left.by_ref().take(limit).collect();
            let end = cursor.saturating_add(entries.len() as u64);
            Page {
                entries,
                next: left.next().map(|_| end),
            }
        })
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

    fn counters<'a>(&'a self, which: &'a [(Stat, Option<&'a str>)]) -> Answer<'a, Vec<u64>> {
        answer(move || {
            let data = self.data();
            let count = |(stat, day): &(Stat, Option<&str>)| {
                let counter = (*stat, day.map(str::to_owned));
                data.counters.get(&counter).copied().unwrap_or(0)
            };
            which.iter().map(count).collect()
        })
    }

    fn values<'a>(&'a self, keys: &'a [Key]) -> Answer<'a, Vec<Option<Bytes>>> {
        answer(move || {
            let (data, now) = (self.data(), self.now());
            keys.iter().map(|key| data.notes.text(key, now)).collect()
        })
    }

    fn fields<'a>(&'a self, keys: &'a [Key]) -> Answer<'a, Vec<Fields>> {
        answer(move || {
            let (data, now) = (self.data(), self.now());
            keys.iter().map(|key| data.notes.fields(key, now)).collect()
        })
    }

    fn list<'a>(&'a self, key: &'a Key) -> Answer<'a, Vec<Bytes>> {
        answer(move || self.data().notes.list(key, self.now()))
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
                overdue: now.since(registered.deadline),
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

    fn check(&self) -> Answer<'_, Vec<Defect>> {
        answer(move || {
            let data = self.data();
            let is_listed = |name: &str| {
                let queues = data.members.get(&Members::Queues);
                queues.is_some_and(|queues| queues.contains(name))
            };
            let mut unlisted: Vec<_> = data
                .queues
                .iter()
                .filter(|(name, jobs)| !jobs.is_empty() && !is_listed(name))
                .map(|(name, jobs)| {
                    let found = format!("it holds {} jobs", jobs.len());
                    Defect::new(DefectKind::UnlistedQueue, name.as_bytes().to_vec(), found)
                })
                .collect();
            unlisted.sort_by(|a, b| a.subject.cmp(&b.subject));
            unlisted.truncate(MAX_DEFECTS);
            unlisted
        })
    }
}

fn entry((at, payload): &(Timestamp, Bytes)) -> Entry {
    Entry {
        payload: payload.clone(),
        at: Some(*at),
    }
}

fn contains(payload: &[u8], text: &str) -> bool {
    text.is_empty()
        || payload
            .windows(text.len())
            .any(|part| part == text.as_bytes())
}
