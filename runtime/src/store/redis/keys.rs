//! The names of keys: Sidekiq's own, and ours below `sancho:`.

use fred::bytes::Bytes;
use fred::util::redis_keyslot;

use crate::job::Timestamp;
use crate::store::{Key, Lane, Members, Owner, PlaceName, Stat, TimedSet};

/// Names keys, with a prefix that is mostly empty.
#[derive(Clone, Debug)]
pub(super) struct Keys(pub(super) String);

impl Keys {
    pub(super) fn queue(&self, name: &str) -> Bytes {
        self.key(&["queue:", name])
    }

    pub(super) fn timed(&self, set: TimedSet) -> Bytes {
        self.key(&[set.name()])
    }

    pub(super) fn place(&self, place: &PlaceName) -> Bytes {
        match place {
            PlaceName::Queue(name) => self.queue(name),
            PlaceName::Timed(set) => self.timed(*set),
        }
    }

    pub(super) fn note(&self, key: &Key) -> Bytes {
        self.key(&[key])
    }

    pub(super) fn members(&self, set: Members) -> Bytes {
        self.key(&[set.name()])
    }

    pub(super) fn counter(&self, stat: Stat, day: Option<&str>) -> Bytes {
        match day {
            None => self.key(&[stat.name()]),
            Some(day) => self.key(&[stat.name(), ":", day]),
        }
    }

    pub(super) fn owners(&self) -> Bytes {
        self.key(&["sancho:owners"])
    }

    pub(super) fn claims(&self, owner: &Owner) -> Bytes {
        self.key(&["sancho:claims:", owner.as_str()])
    }

    pub(super) fn receipt(&self, lane: &Lane) -> Bytes {
        self.key(&["sancho:receipt:", lane.as_str()])
    }

    /// A key that goes on with any bytes.
    pub(super) fn joined(&self, begin: &[u8], rest: &[u8]) -> Bytes {
        [self.0.as_bytes(), begin, rest].concat().into()
    }

    /// The slot of all keys in a Cluster, where the prefix has a hash tag. Commands that name no key go by it.
    pub(super) fn slot(&self) -> u16 {
        redis_keyslot(self.0.as_bytes())
    }

    /// A pattern for all keys with the prefix.
    pub(super) fn pattern(&self) -> String {
        format!("{}*", literally(&self.0))
    }

    /// The key without its prefix.
    pub(super) fn bare<'a>(&self, key: &'a [u8]) -> &'a [u8] {
        key.strip_prefix(self.0.as_bytes()).unwrap_or(key)
    }

    fn key(&self, parts: &[&str]) -> Bytes {
        let mut key = self.0.clone();
        parts.iter().for_each(|part| key.push_str(part));
        key.into()
    }
}

/// A pattern for exactly this text.
pub(super) fn literally(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for part in text.chars() {
        if matches!(part, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            pattern.push('\\');
        }
        pattern.push(part);
    }
    pattern
}

/// The UTC day of counters.
pub(super) fn day(now: Timestamp) -> String {
    chrono::DateTime::from(now).format("%Y-%m-%d").to_string()
}
