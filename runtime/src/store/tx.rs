//! Changes as data: what a transaction may ask and what it may do.
//!
//! A payload stands in exactly one place: at an end of a queue, in a timed set, or claimed by one owner. Every
//! change is a [`Tx`]: all of `then` where every guard of `when` holds, else all of `otherwise`. A guard may
//! refuse; an effect must not be able to fail, so the order of effects is fixed ([`Tx::is_well_ordered`]): what places a
//! payload comes before what lets go of it, and counters come last.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::PlaceName;
use crate::job::Timestamp;

/// A batch of transactions, each applied on its own, in order, in one round trip.
///
/// `lane` and `seq` make it repeatable: the store keeps the results of a lane's last batch for
/// [`RECEIPT_TTL`](super::RECEIPT_TTL), and a batch that comes again is answered from them. One batch of a lane is in
/// flight at a time; its `seq` starts at 1 and grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Whose sequence this is.
    pub lane: Lane,
    /// The place of this batch in its lane's sequence.
    pub seq: u64,
    /// The transactions, applied in this order.
    pub txs: Vec<Tx>,
}

/// One transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tx {
    /// What must hold; an empty list always does.
    pub when: Vec<Guard>,
    /// What happens where it holds.
    pub then: Vec<Effect>,
    /// What happens where it does not.
    pub otherwise: Vec<Effect>,
}

/// A question that a transaction asks before it does anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// This claim is still held by its owner. This is the fence: a late result of a process that was taken for dead
    /// is refused here.
    Holds(ClaimId),
    /// The place contains exactly these bytes. In a queue that is looked for one by one: for operators, not for a program's way.
    Contains(PlaceName, Bytes),
    /// Nothing is kept under this key.
    Absent(Key),
    /// The hash of this key has no such field.
    AbsentField(Key, Box<str>),
    /// This field of the hash of this key is exactly this.
    EqualsField(Key, Box<str>, Bytes),
}

/// Something that a transaction does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Puts a payload into a place. A timed set holds the same bytes once: putting them again moves them.
    Put(Bytes, Place),
    /// Takes exactly these bytes out of a place; nothing, where they are not in it. Of equal ones in a queue the one that
    /// would run last goes, so that a `Put` to the head and a `Take` move a job there; see [`Guard::Contains`] for what that
    /// costs.
    Take(PlaceName, Bytes),
    /// Ends a claim; nothing, where it is not held.
    Release(ClaimId),
    /// Adds to a counter that is kept for ever, and to the same counter of that UTC day.
    Count(Stat, u64),
    /// Sets a counter to zero; its days stay. What the same batch counts may come after it, wherever it stands.
    Reset(Stat),
    /// Adds a member to a set.
    Join(Members, Box<str>),
    /// Removes a member from a set.
    Leave(Members, Box<str>),
    /// Takes everything out of a place.
    Clear(PlaceName),
    /// Forgets what is kept under a key.
    Unset(Key),
    /// Keeps a text under a key.
    Set {
        /// The key.
        key: Key,
        /// The text.
        value: Bytes,
        /// For how long; `None` is for ever.
        ttl: Option<Duration>,
    },
    /// Keeps these fields of a hash; its others stay.
    SetFields {
        /// The key of the hash.
        key: Key,
        /// The fields and their values; at least one.
        fields: Vec<(Box<str>, Bytes)>,
        /// How long the whole hash is kept from now on; `None` leaves that as it is.
        ttl: Option<Duration>,
    },
    /// Adds to these fields of a hash, which are numbers: one that is none counts as 0, and each stops at 2^63 - 1.
    AddFields {
        /// The key of the hash.
        key: Key,
        /// The fields, and what is added to each; at least one.
        fields: Vec<(Box<str>, u64)>,
        /// How long the whole hash is kept from now on.
        ttl: Duration,
    },
    /// Adds to buckets of a histogram: a text of 16-bit numbers, the most significant byte first, which stop at their highest.
    Observe {
        /// The key of the histogram.
        key: Key,
        /// The buckets, from 0, and what is added to each; at least one.
        counts: Vec<(u8, u16)>,
        /// How long the histogram is kept from now on.
        ttl: Duration,
    },
    /// Adds an item to a list, after those that stand there.
    Append {
        /// The key of the list.
        key: Key,
        /// The item.
        item: Bytes,
        /// How long the whole list is kept from now on.
        ttl: Duration,
    },
    /// Takes the oldest item that is equal to this one out of a list; nothing, where there is none.
    Strike {
        /// The key of the list.
        key: Key,
        /// The item.
        item: Bytes,
    },
    /// Drops the entries of a timed set that are older than `before`, and then the oldest, until at most `keep` are left.
    Trim {
        /// The set.
        set: TimedSet,
        /// Entries with an earlier time go.
        before: Timestamp,
        /// How many of the newest stay.
        keep: u64,
    },
}

/// The name of something small that is kept beside the jobs: a text, a hash or a list. In Redis it is the key. One key is used for
/// one kind of thing.
pub type Key = Arc<str>;

/// Where a payload is put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An end of a queue. Putting also makes the queue known to the set of queue names.
    Queue {
        /// The queue's name, without any key prefix.
        name: Arc<str>,
        /// Which end.
        end: End,
    },
    /// A timed set, at a time.
    Timed {
        /// The set.
        set: TimedSet,
        /// When the entry is due (schedule, retry), or when it died (dead).
        at: Timestamp,
    },
}

/// An end of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// Runs next.
    Head,
    /// Runs after everything that waits.
    Tail,
}

/// The sets ordered by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TimedSet {
    /// Jobs that were pushed for later.
    Schedule,
    /// Jobs that failed and wait for their next try.
    Retry,
    /// Jobs that are given up.
    Dead,
}

impl TimedSet {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Schedule, Self::Retry, Self::Dead];

    /// The name of the set, which is its key in Sidekiq's layout.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Retry => "retry",
            Self::Dead => "dead",
        }
    }
}

/// The sets of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Members {
    /// The names of the queues that were ever pushed to.
    Queues,
    /// The names of the queues that nothing is claimed from.
    Paused,
    /// The identities of the processes that run.
    Processes,
    /// The names of the entries of the cron.
    Cron,
}

impl Members {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Queues, Self::Paused, Self::Processes, Self::Cron];

    /// The name of the set, which is its key, in Sidekiq's layout or in ours.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queues => "queues",
            Self::Paused => "paused",
            Self::Processes => "processes",
            Self::Cron => "sancho:cron",
        }
    }
}

/// The counters that every store keeps, in total and per UTC day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stat {
    /// Executions that came to an end, failed ones included.
    Processed,
    /// Executions that failed.
    Failed,
}

impl Stat {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Processed, Self::Failed];

    /// The name of the counter, which is its key in Sidekiq's layout.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Processed => "stat:processed",
            Self::Failed => "stat:failed",
        }
    }
}

/// A process towards the store: a random id that is never used again, once it lost its registration.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner(Arc<str>);

/// The name of a sequence of batches. Random, and given up with the client or owner that made it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane(Arc<str>);

macro_rules! random_id {
    ($name:ident) => {
        impl $name {
            /// A new random one: 24 hex digits.
            #[must_use]
            pub fn random() -> Self {
                Self(crate::job::random_hex().into())
            }

            /// One that a store gave back.
            #[must_use]
            pub fn from_text(text: &str) -> Self {
                Self(text.into())
            }

            /// The text of the id.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

random_id!(Owner);
random_id!(Lane);

/// A claim: the owner and its token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClaimId {
    /// Who holds it.
    pub owner: Owner,
    /// Which of the owner's claims it is.
    pub token: Token,
}

/// The number of a claim among those of its owner: made of the sequence number of the call that took it and its index
/// in the answer, so the same call makes the same tokens however often it is repeated.
///
/// Tokens of one owner are ordered as they were claimed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(u64);

impl Token {
    /// How many claims one call can take.
    pub const PER_CALL: u64 = 1 << 16;

    /// The token of the `index`th claim of the call with this sequence number.
    #[must_use]
    pub const fn new(seq: u64, index: u64) -> Self {
        Self(seq * Self::PER_CALL + index)
    }

    /// A token that a store gave back.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The token as one number. It stays below 2^53, so that a script's float holds it exactly.
    #[must_use]
    pub const fn as_number(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Token({}.{})",
            self.0 / Self::PER_CALL,
            self.0 % Self::PER_CALL
        )
    }
}

impl Tx {
    /// A transaction without a question.
    #[must_use]
    pub fn always(then: Vec<Effect>) -> Self {
        Self {
            when: Vec::new(),
            then,
            otherwise: Vec::new(),
        }
    }

    /// A transaction that happens only where `guard` holds.
    #[must_use]
    pub fn when(guard: Guard, then: Vec<Effect>) -> Self {
        Self {
            when: vec![guard],
            then,
            otherwise: Vec::new(),
        }
    }

    /// Whether the effects stand in their order: every [`Effect::Put`] before every [`Effect::Take`] and
    /// [`Effect::Release`], what is forgotten before what is kept, every [`Effect::Count`] at the end. Stores assert it in
    /// debug builds.
    #[must_use]
    pub fn is_well_ordered(&self) -> bool {
        [&self.then, &self.otherwise]
            .into_iter()
            .all(|effects| effects.is_sorted_by_key(Effect::rank))
    }

    /// Brings the effects into the order of [`Tx::is_well_ordered`]; those of one kind keep theirs.
    pub fn put_in_order(&mut self) {
        self.then.sort_by_key(Effect::rank);
        self.otherwise.sort_by_key(Effect::rank);
    }
}

impl Effect {
    fn rank(&self) -> u8 {
        match self {
            Self::Put(..) | Self::Join(..) => 0,
            Self::Take(..) => 1,
            Self::Release(_) => 2,
            Self::Leave(..)
            | Self::Clear(_)
            | Self::Trim { .. }
            | Self::Unset(_)
            | Self::Reset(_) => 3,
            Self::Set { .. }
            | Self::SetFields { .. }
            | Self::AddFields { .. }
            | Self::Observe { .. }
            | Self::Append { .. }
            | Self::Strike { .. } => 4,
            Self::Count(..) => 5,
        }
    }
}
