//! The store: the contract between the engine and what keeps the jobs.
//!
//! [`Store`] changes things, [`Inspect`] looks at them; transactions are data ([`tx`]). There are three
//! implementations, and one conformance suite that all of them pass: [`redis`] in Sidekiq's own layout, [`sqlite`] in one
//! file, and [`memory`], which is the reference model. Only this module may name a database client.
//!
//! Everything that changes something can be **repeated**: when a call's answer was lost, the same call is made again
//! with the same sequence number, and the answer is the one that was lost. A sequence number that has passed is answered
//! `Stale`, so a command that arrives late, on a dead connection, does nothing.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;

use crate::job::Timestamp;

mod defect;
pub mod histogram;
pub mod keys;
pub mod memory;
mod number;
pub mod redis;
pub mod sqlite;
pub mod tx;
mod wake;

pub use defect::{Defect, DefectKind, MAX_DEFECTS};
pub use tx::{
    Batch, ClaimId, Effect, End, Guard, Key, Lane, Members, Owner, Place, Stat, TimedSet, Token, Tx,
};

/// How long the results of a lane's last batch are kept, for a repeat to be answered from, counted from when it was
/// applied. After that the lane is unknown, and any sequence number is a first one.
pub const RECEIPT_TTL: Duration = Duration::from_secs(60);

/// What a store's methods return: a boxed future, since the store is chosen at run time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Unavailable>> + Send + 'a>>;

/// What changes jobs.
///
/// Dropping a returned future may leave the change applied; repeat the call with the same sequence number to know.
pub trait Store: Inspect {
    /// Applies each transaction of the batch on its own: all of its `then` where its `when` holds, else all of its
    /// `otherwise`. One round trip. Repeating a batch with the same lane and sequence number gives the same answers and
    /// applies nothing twice; an older number is [`Commit::Stale`].
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came; what happened is unknown unless [`Unavailable::is_unsent`].
    fn commit<'a>(&'a self, batch: &'a Batch) -> Answer<'a, Commit>;

    /// Takes up to `limit` payloads from the queues, in the order and shares asked, each under a token of this owner.
    /// One round trip. Repeating a sequence number gives the same jobs, those of them that are still held, and takes no
    /// others, not even where there were none; an older one is [`Claim::Stale`].
    ///
    /// A claim that comes back with less than it asked for arms [`Store::wait`] for its queues in the same step, so a
    /// push right after it is not slept past.
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came: repeat with the same sequence number.
    fn claim<'a>(&'a self, request: &'a ClaimRequest) -> Answer<'a, Claim>;

    /// Renews this owner's lease, by the store's clock; it has run out from its last moment on. Only
    /// [`Registration::First`] registers an owner: one that was evicted stays so, while it is being taken over even
    /// towards a first renewal. A lease of zero gives the claims free for others at once; a process that leaves does that.
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came.
    fn renew<'a>(
        &'a self,
        owner: &'a Owner,
        lease: Duration,
        registration: Registration,
    ) -> Answer<'a, Renewed>;

    /// Takes over up to `limit` claims of `from`, oldest first, if its lease ran out, under tokens of `owner`, and adds one
    /// to the recovery count of each. The first call ends the registration of `from`; what is left may still be settled by
    /// `from`, one token at a time; the call that leaves nothing forgets it. Takes nothing where the lease of
    /// `from` still runs, where `from` is unknown, or where it is `owner` itself. Draws from the same sequence as
    /// [`Store::claim`], whether it takes something or not; at most one of the two is in flight for an owner. Repeatable
    /// like it.
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came: repeat with the same sequence number.
    fn take_over<'a>(
        &'a self,
        owner: &'a Owner,
        seq: u64,
        from: &'a Owner,
        limit: usize,
    ) -> Answer<'a, Claim>;

    /// Returns when what `interest` names may have changed since the last time it was waited for, or after `timeout`.
    /// May wake for nothing; never sleeps past work. The first wait of an interest returns at once.
    ///
    /// # Errors
    /// [`Unavailable`] where the store cannot say.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped: what happened is found by the next wait.
    fn wait<'a>(&'a self, interest: &'a Interest, timeout: Duration) -> Answer<'a, ()>;

    /// Mends what [`Inspect::check`] named, in one transaction; `false` where it is not so any more, or where nothing can be
    /// done ([`DefectKind::mending`]). A payload is moved at most, never dropped.
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came: it may be asked again.
    fn repair<'a>(&'a self, defect: &'a Defect) -> Answer<'a, bool>;

    /// A commit, then a claim. A store may do both in one trip; this makes two.
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came: repeat both with the same sequence numbers.
    fn turn<'a>(
        &'a self,
        batch: &'a Batch,
        request: &'a ClaimRequest,
    ) -> Answer<'a, (Commit, Claim)> {
        Box::pin(async move { Ok((self.commit(batch).await?, self.claim(request).await?)) })
    }
}

/// What looks at jobs and changes nothing.
pub trait Inspect: fmt::Debug + Send + Sync + 'static {
    /// A page of a place: at most `limit` entries from `cursor` on, in this order. While others change the place, an entry may
    /// be seen twice or missed.
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came.
    fn page<'a>(
        &'a self,
        place: &'a PlaceName,
        order: Order,
        cursor: u64,
        limit: usize,
    ) -> Answer<'a, Page>;

    /// Looks through a part of a timed set for entries whose bytes contain `text`, from `cursor` on: at most about `limit`
    /// entries are looked at, in no order. While others change the set, an entry may be seen twice or missed.
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came.
    fn scan<'a>(
        &'a self,
        set: TimedSet,
        text: &'a str,
        cursor: u64,
        limit: usize,
    ) -> Answer<'a, Page>;

    /// The entries of a timed set that are due at `now`, earliest first (same time: by their bytes), and when the next one after them is due. Arms
    /// [`Store::wait`] for [`Interest::timed`].
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came.
    fn due<'a>(&'a self, set: TimedSet, now: Timestamp, limit: usize) -> Answer<'a, Due>;

    /// The time of exactly these bytes in a timed set, if they are in it.
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came.
    fn find<'a>(&'a self, set: TimedSet, payload: &'a [u8]) -> Answer<'a, Option<Timestamp>>;

    /// A page of the entries of a timed set that have exactly this time, to the microsecond, by their bytes: at most `limit` of
    /// them from `cursor` on. A page that is not full need not be the last.
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came.
    fn at(&self, set: TimedSet, at: Timestamp, cursor: u64, limit: usize) -> Answer<'_, Page>;

    /// How many payloads stand where, and the oldest of each queue.
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came.
    fn census(&self) -> Answer<'_, Census>;

    /// The total of a counter, or its count of one UTC day (`Some("2026-11-24")`).
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came.
    fn counter<'a>(&'a self, stat: Stat, day: Option<&'a str>) -> Answer<'a, u64> {
        Box::pin(async move { Ok(self.counters(&[(stat, day)]).await?[0]) })
    }

    /// Several of them in one round trip, in the order asked.
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came.
    fn counters<'a>(&'a self, which: &'a [(Stat, Option<&'a str>)]) -> Answer<'a, Vec<u64>>;

    /// The texts kept under these keys, in the order asked. A histogram is one ([`Effect::Observe`]).
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came.
    fn values<'a>(&'a self, keys: &'a [Key]) -> Answer<'a, Vec<Option<Bytes>>>;

    /// The fields of the hashes kept under these keys, in the order asked, each sorted by field; none for a key without a
    /// hash.
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came.
    fn fields<'a>(&'a self, keys: &'a [Key]) -> Answer<'a, Vec<Fields>>;

    /// The items of a list, oldest first. Arms [`Store::wait`] for [`Interest::lists`].
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came.
    fn list<'a>(&'a self, key: &'a Key) -> Answer<'a, Vec<Bytes>>;

    /// The members of a set, sorted.
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came.
    fn members(&self, set: Members) -> Answer<'_, Vec<String>>;

    /// The owners that are registered or not yet wholly taken over, by id.
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came.
    fn owners(&self) -> Answer<'_, Vec<OwnerInfo>>;

    /// The claims of an owner in the order in which they were claimed, at most `limit`.
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came.
    fn claims<'a>(&'a self, owner: &'a Owner, limit: usize) -> Answer<'a, Vec<Claimed>>;

    /// What is wrong with the way in which things are kept, at most about [`MAX_DEFECTS`] of it, in the order in which it was found.
    /// Goes through everything that the store holds, in steps; what others change meanwhile is never taken for a defect.
    ///
    /// # Errors
    /// [`Unavailable`] where no answer came.
    fn check(&self) -> Answer<'_, Vec<Defect>>;
}

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
    /// The known queues ([`Members::Queues`]), by name.
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
    /// An interest in work on queues: those of the last [`Store::claim`] made through the same store handle.
    #[must_use]
    pub fn queues() -> Self {
        Self {
            kind: InterestKind::Queues,
            seen: AtomicU64::new(0),
        }
    }

    /// An interest in the lists that [`Inspect::list`] was asked for through the same store handle.
    #[must_use]
    pub fn lists() -> Self {
        Self {
            kind: InterestKind::Lists,
            seen: AtomicU64::new(0),
        }
    }

    /// An interest in the timed sets that [`Inspect::due`] was asked for through the same store handle.
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
