//! What is kept beside the jobs: texts, hashes and lists, each for a time.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use crate::job::Timestamp;
use crate::store::{Effect, Fields, Key, histogram, number};

/// How often what ran out is dropped.
const PURGE_EVERY: Duration = Duration::from_secs(10);

/// What is kept under keys.
#[derive(Debug, Default)]
pub(super) struct Notes {
    kept: HashMap<Key, Note>,
    next_purge: Timestamp,
}

#[derive(Debug)]
struct Note {
    kept: Kept,
    expires: Option<Timestamp>,
}

#[derive(Debug)]
enum Kept {
    Text(Bytes),
    Hash(BTreeMap<Box<str>, Bytes>),
    /// Front is the oldest.
    List(VecDeque<Bytes>),
}

impl Notes {
    pub(super) fn is_absent(&self, key: &Key, now: Timestamp) -> bool {
        self.get(key, now).is_none()
    }

    pub(super) fn text(&self, key: &Key, now: Timestamp) -> Option<Bytes> {
        match self.get(key, now)? {
            Kept::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    pub(super) fn field(&self, key: &Key, field: &str, now: Timestamp) -> Option<&Bytes> {
        match self.get(key, now)? {
            Kept::Hash(hash) => hash.get(field),
            _ => None,
        }
    }

    pub(super) fn fields(&self, key: &Key, now: Timestamp) -> Fields {
        match self.get(key, now) {
            Some(Kept::Hash(hash)) => hash
                .iter()
                .map(|(field, value)| (field.to_string(), value.clone()))
                .collect(),
            _ => Fields::new(),
        }
    }

    pub(super) fn list(&self, key: &Key, now: Timestamp) -> Vec<Bytes> {
        match self.get(key, now) {
            Some(Kept::List(list)) => list.iter().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// Effects on jobs are none of these.
    pub(super) fn change(&mut self, effect: &Effect, now: Timestamp) {
        match effect {
            Effect::Unset(key) => _ = self.kept.remove(key),
            Effect::Set { key, value, ttl } => {
                let note = Note {
                    kept: Kept::Text(value.clone()),
                    expires: ttl.map(|ttl| now.after(ttl)),
                };
                self.kept.insert(key.clone(), note);
            }
            Effect::SetFields { key, fields, ttl } => {
                if let Some(hash) = self.hash(key, *ttl, now) {
                    hash.extend(fields.iter().cloned());
                }
            }
            Effect::AddFields { key, fields, ttl } => {
                if let Some(hash) = self.hash(key, Some(*ttl), now) {
                    for (field, n) in fields {
                        let count = hash.entry(field.clone()).or_default();
                        *count = number::add(count, *n);
                    }
                }
            }
            Effect::Observe { key, counts, ttl } => {
                let kept = self.entry(key, Some(*ttl), now, || Kept::Text(Bytes::new()));
                if let Kept::Text(text) = kept {
                    *text = histogram::add(text, counts);
                }
            }
            Effect::Append { key, item, ttl } => {
                let kept = self.entry(key, Some(*ttl), now, || Kept::List(VecDeque::new()));
                if let Kept::List(list) = kept {
                    list.push_back(item.clone());
                }
            }
            Effect::Strike { key, item } => self.strike(key, item, now),
            _ => {}
        }
    }

    /// Drops what has run out: a look at everything, so not each time.
    pub(super) fn purge(&mut self, now: Timestamp) {
        if self.next_purge <= now {
            self.next_purge = now.after(PURGE_EVERY);
            self.kept
                .retain(|_, note| note.expires.is_none_or(|expires| expires > now));
        }
    }

    fn strike(&mut self, key: &Key, item: &Bytes, now: Timestamp) {
        let Kept::List(list) = self.entry(key, None, now, || Kept::List(VecDeque::new())) else {
            return;
        };
        if let Some(index) = list.iter().position(|other| other == item) {
            list.remove(index);
        }
        if list.is_empty() {
            self.kept.remove(key);
        }
    }

    fn hash(
        &mut self,
        key: &Key,
        ttl: Option<Duration>,
        now: Timestamp,
    ) -> Option<&mut BTreeMap<Box<str>, Bytes>> {
        match self.entry(key, ttl, now, || Kept::Hash(BTreeMap::new())) {
            Kept::Hash(hash) => Some(hash),
            _ => None,
        }
    }

    /// What is kept under a key, from now on for that long where that is said.
    fn entry(
        &mut self,
        key: &Key,
        ttl: Option<Duration>,
        now: Timestamp,
        new: impl Fn() -> Kept,
    ) -> &mut Kept {
        let note = self.kept.entry(key.clone()).or_insert_with(|| Note {
            kept: new(),
            expires: None,
        });
        if note.expires.is_some_and(|expires| expires <= now) {
            *note = Note {
                kept: new(),
                expires: None,
            };
        }
        if let Some(ttl) = ttl {
            note.expires = Some(now.after(ttl));
        }
        &mut note.kept
    }

    fn get(&self, key: &Key, now: Timestamp) -> Option<&Kept> {
        let Note { kept, expires } = self.kept.get(key)?;
        expires.is_none_or(|expires| expires > now).then_some(kept)
    }
}
