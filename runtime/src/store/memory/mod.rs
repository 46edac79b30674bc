//! The reference model: plain collections under one lock.
//!
//! It is written to be obviously right, and the other stores are compared with it. It is also the store of tests that need no
//! other process: what it holds is gone with it.

mod change;
mod inspect;
mod notes;
mod owners;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::wake::Wake;
use super::{
    Answer, Batch, Claim, ClaimRequest, Commit, Defect, DefectKind, Interest, Lane, Members, Owner,
    Registration, Renewed, Stat, Store, TestClock, TimedSet, Token, TxResult, Unavailable,
};
use crate::job::Timestamp;
use notes::Notes;

/// A store in this process's memory. Its clones are handles to the same jobs.
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
    data: Mutex<Data>,
    wake: Wake,
    clock: TestClock,
}

/// Everything that is kept.
#[derive(Debug, Default)]
struct Data {
    /// Front is the head.
    queues: HashMap<Arc<str>, VecDeque<Bytes>>,
    timed: HashMap<TimedSet, Timed>,
    owners: HashMap<Owner, Registered>,
    members: HashMap<Members, BTreeSet<String>>,
    counters: HashMap<(Stat, Option<String>), u64>,
    receipts: HashMap<Lane, Receipt>,
    notes: Notes,
}

/// A timed set: by bytes, for identity, and by time, for order.
#[derive(Debug, Default)]
struct Timed {
    times: HashMap<Bytes, Timestamp>,
    ordered: BTreeSet<(Timestamp, Bytes)>,
}

/// An owner, and what it holds. One without a registration is kept while it has claims.
#[derive(Debug)]
struct Registered {
    /// The last sequence number; `None` once it is evicted.
    seq: Option<u64>,
    deadline: Timestamp,
    claims: BTreeMap<Token, Held>,
}

#[derive(Clone, Debug)]
struct Held {
    queue: Arc<str>,
    recoveries: u32,
    payload: Bytes,
}

#[derive(Debug)]
struct Receipt {
    seq: u64,
    results: Vec<TxResult>,
    expires: Timestamp,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Arc::new(Timestamp::from_wall_clock))
    }

    /// An empty store whose time is that of `clock`.
    #[must_use]
    pub fn with_clock(clock: TestClock) -> Self {
        Self(Arc::new(Inner {
            data: Mutex::default(),
            wake: Wake::new(),
            clock,
        }))
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        self.0.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        (self.0.clock)()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore")
    }
}

impl Store for MemoryStore {
    fn commit<'a>(&'a self, batch: &'a Batch) -> Answer<'a, Commit> {
        answer(move || self.data().commit(batch, self.now(), &self.0.wake))
    }

    fn claim<'a>(&'a self, request: &'a ClaimRequest) -> Answer<'a, Claim> {
        answer(move || self.data().claim(request))
    }

    fn renew<'a>(
        &'a self,
        owner: &'a Owner,
        lease: Duration,
        registration: Registration,
    ) -> Answer<'a, Renewed> {
        answer(move || self.data().renew(owner, lease, registration, self.now()))
    }

    fn take_over<'a>(
        &'a self,
        owner: &'a Owner,
        seq: u64,
        from: &'a Owner,
        limit: usize,
    ) -> Answer<'a, Claim> {
        answer(move || self.data().take_over(owner, seq, from, limit, self.now()))
    }

    fn wait<'a>(&'a self, interest: &'a Interest, timeout: Duration) -> Answer<'a, ()> {
        Box::pin(async move {
            self.0.wake.wait(interest, timeout).await;
            Ok(())
        })
    }

    fn repair<'a>(&'a self, defect: &'a Defect) -> Answer<'a, bool> {
        answer(move || {
            let DefectKind::UnlistedQueue = defect.kind else {
                return false;
            };
            let name = String::from_utf8_lossy(&defect.subject).into_owned();
            let mut data = self.data();
            let holds_jobs = data.queues.get(&*name).is_some_and(|jobs| !jobs.is_empty());
            holds_jobs
                && data
                    .members
                    .entry(Members::Queues)
                    .or_default()
                    .insert(name)
        })
    }
}

/// An answer that is made when it is awaited.
fn answer<'a, T: 'a>(work: impl FnOnce() -> T + Send + 'a) -> Answer<'a, T> {
    Box::pin(async move { Ok::<_, Unavailable>(work()) })
}
