//! What is asked of a store, and what it answers.

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;

use super::tx::{Owner, TimedSet, Token};
use crate::job::Timestamp;

/// What a batch came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Commit {
    /// One result for each transaction, in order.
    Done(Vec<TxResult>),
    /// The lane has gone past this sequence number; nothing was applied.
    Stale,
}

/// What a transaction came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TxResult {
    /// Every guard held; `then` happened.
    Applied,
    /// The guard with this index was the first not to hold; `otherwise` happened.
    Refused {
        /// Its index in `when`.
        by: usize,
    },
    /// The store could not; nothing of this transaction happened.
    Failed {
        /// What the store said.
        error: String,
    },
}

/// What an owner asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRequest {
    /// Who asks.
    pub owner: Owner,
    /// The owner's next sequence number (the first is 1), or the last one again where its answer was lost.
    pub seq: u64,
    /// Where from, most urgent first. First every source gives up to its share, then, in the same order, what it has.
    pub sources: Vec<Source>,
    /// How many at most; [`MAX_CLAIM`] is the most that is heeded.
    pub limit: usize,
}

/// The most that one claim or takeover takes, whatever its `limit`.
pub const MAX_CLAIM: usize = 1_000;

/// A queue to claim from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The queue's name.
    pub queue: Arc<str>,
    /// How many of a claim this queue gives before any queue gives more than its share. All zero is strict order.
    pub share: usize,
}

/// What a claim came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// These are the owner's now.
    Taken {
        /// In the order in which they were taken.
        jobs: Vec<Claimed>,
        /// Queues that could not be read (in Redis: a key of another type).
        unusable_queues: Vec<Arc<str>>,
    },
    /// The owner is not registered (any more): cancel what runs, and go on under a new id.
    Evicted,
    /// This sequence number has passed; nothing was taken.
    Stale,
}

/// A payload in an owner's hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Which claim of the owner this is.
    pub token: Token,
    /// The queue it was taken from, and goes back to.
    pub queue: Arc<str>,
    /// How many times it was taken over from a dead owner.
    pub recoveries: u32,
    /// The bytes, as they were pushed.
    pub payload: Bytes,
}

/// Whether an owner may come into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Registration {
    /// A new id, or one whose first renewal was not answered yet.
    First,
    /// An id that was registered before.
    Known,
}

/// What a renewal came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// Whether the owner is (still) registered.
    pub standing: Standing,
    /// The store's time.
    pub now: Timestamp,
    /// How many claims the store holds for this owner.
    pub held: u64,
    /// Other owners whose lease ran out, at most [`MAX_EXPIRED`], longest ago first (at the same time: by id).
    pub expired: Vec<Owner>,
}

/// How many expired owners one renewal names.
pub const MAX_EXPIRED: usize = 16;

/// Where an owner stands with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It was registered and still is.
    Kept,
    /// It is registered now.
    New,
    /// It is not registered. Its claims were, or are being, taken over.
    Evicted,
}

/// The name of a place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PlaceName {
    /// A queue.
    Queue(Arc<str>),
    /// A timed set.
    Timed(TimedSet),
}

impl PlaceName {
    /// The queue of this name.
    #[must_use]
    pub fn queue(name: &str) -> Self {
        Self::Queue(name.into())
    }
}

impl From<TimedSet> for PlaceName {
    fn from(set: TimedSet) -> Self {
        Self::Timed(set)
    }
}

/// The way in which a place is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// A queue from what runs next, a timed set from its earliest entry.
    #[default]
    Forward,
    /// A queue from what was pushed last, a timed set from its latest entry.
    Backward,
}

/// The fields of a hash and their values.
pub type Fields = Vec<(String, Bytes)>;

/// A part of a place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The entries, in order.
    pub entries: Vec<Entry>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<u64>,
}

/// A payload in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its exact bytes, which are its identity.
    pub payload: Bytes,
    /// Its time, in a timed set.
    pub at: Option<Timestamp>,
}

/// What of a timed set is due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Due entries, earliest first.
    pub entries: Vec<Entry>,
    /// The time of the first entry that was not returned.
    pub next: Option<Timestamp>,
}

/// How many payloads stand where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// The known queues ([`Members::Queues`](super::Members::Queues)), by name.
    pub queues: Vec<QueueInfo>,
    /// Entries in the schedule.
    pub schedule: u64,
    /// Entries that wait for another try.
    pub retry: u64,
    /// Entries that are given up.
    pub dead: u64,
    /// Payloads in the hands of owners.
    pub claimed: u64,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueInfo {
    /// Its name.
    pub name: String,
    /// How many wait.
    pub size: u64,
    /// The payload that runs next, whose `enqueued_at` tells the queue's latency.
    pub head: Option<Bytes>,
}

/// A registered owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerInfo {
    /// Its id.
    pub owner: Owner,
    /// How much of its lease is left; zero when it ran out.
    pub left: Duration,
    /// How long ago it ran out, as far as that is known; zero while it runs.
    pub overdue: Duration,
    /// How many claims it holds.
    pub held: u64,
}

/// What a waiting loop waits for, and up to where it has seen changes. Belongs to one loop and one store handle.
#[derive(Debug)]
pub struct Interest {
    /// What kind of change.
    pub kind: InterestKind,
    /// The number of the last change that was seen, for the store's use.
    pub seen: AtomicU64,
}

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InterestKind {
    /// A queue may have work.
    Queues,
    /// A timed set may have an earlier entry.
    Timed,
    /// A list may have another item.
    Lists,
}

impl Interest {
    /// An interest in work on queues: those of the last [`Store::claim`](super::Store::claim) made through the same store handle.
    #[must_use]
    pub fn queues() -> Self {
        Self {
            kind: InterestKind::Queues,
            seen: AtomicU64::new(0),
        }
    }

    /// An interest in the lists that [`Inspect::list`](super::Inspect::list) was asked for through the same store handle.
    #[must_use]
    pub fn lists() -> Self {
        Self {
            kind: InterestKind::Lists,
            seen: AtomicU64::new(0),
        }
    }

    /// An interest in the timed sets that [`Inspect::due`](super::Inspect::due) was asked for through the same store handle.
    #[must_use]
    pub fn timed() -> Self {
        Self {
            kind: InterestKind::Timed,
            seen: AtomicU64::new(0),
        }
    }
}

/// A clock that stands in for the store's own in tests: leases, receipts and [`Renewed::now`] follow it.
pub type TestClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The store gave no answer.
#[derive(Debug, thiserror::Error)]
#[error("the store {store} gave no answer: {reason}")]
pub struct Unavailable {
    store: Box<str>,
    reason: Box<str>,
    unsent: bool,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Unavailable {
    /// An error of a call that may have been applied.
    #[must_use]
    pub fn new(store: impl Into<Box<str>>, reason: impl Into<Box<str>>) -> Self {
        Self {
            store: store.into(),
            reason: reason.into(),
            unsent: false,
            source: None,
        }
    }

    /// The same, of a call that certainly never left.
    #[must_use]
    pub fn unsent(mut self) -> Self {
        self.unsent = true;
        self
    }

    /// The same, with what lies behind it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether the call certainly was not applied, because it never left.
    #[must_use]
    pub fn is_unsent(&self) -> bool {
        self.unsent
    }
}
