//! The store: the contract between the engine and what keeps the jobs.
//!
//! [`Store`] changes things, [`Inspect`] looks at them; transactions are data ([`tx`]). There are three
//! implementations, and one conformance suite that all of them pass: [`redis`] in Sidekiq's own layout, [`sqlite`] in one
//! file, and [`memory`], which is the reference model. Only this module may name a database client.
//!
//! Everything that changes something can be **repeated**: when a call's answer was lost, the same call is made again
//! with the same sequence number, and the answer is the one that was lost. A sequence number that has passed is answered
//! `Stale`, so a command that arrives late, on a dead connection, does nothing.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

use crate::job::Timestamp;

mod answers;
mod defect;
pub mod histogram;
pub mod keys;
pub mod memory;
mod number;
pub mod redis;
pub mod sqlite;
pub mod tx;
mod wake;

pub use answers::{
    Census, Claim, ClaimRequest, Claimed, Commit, Due, Entry, Fields, Interest, InterestKind,
    MAX_CLAIM, MAX_EXPIRED, Order, OwnerInfo, Page, PlaceName, QueueInfo, Registration, Renewed,
    Source, Standing, TestClock, TxResult, Unavailable,
};
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
