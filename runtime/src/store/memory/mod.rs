//! The store in memory: the reference model, and the store of tests that need no server.
//!
//! One lock over plain collections ([`state`]): what it answers is what the contract means, and the two real stores are
//! compared with it. Jobs live as long as the last handle.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use self::state::State;
use super::tx::{Batch, Effect, Members, Owner, Place, Stat, TimedSet};
use super::{
    Answer, Census, Claim, ClaimRequest, Claimed, Commit, Due, Inspect, Interest, InterestKind,
    OwnerInfo, Page, PlaceName, Registration, Renewed, Store, TestClock,
};
use crate::job::Timestamp;

mod inspect;
mod state;

/// A store in memory. A clone is another handle to the same jobs.
#[derive(Clone)]
pub struct MemoryStore(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    clock: TestClock,
    queues: watch::Sender<u64>,
    timed: watch::Sender<u64>,
}

impl MemoryStore {
    /// An empty store whose time is the host's wall clock.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Arc::new(Timestamp::from_wall_clock))
    }

    /// An empty store whose time is `clock`.
    #[must_use]
    pub fn with_clock(clock: TestClock) -> Self {
        // Generations start at 1 and a new interest has seen 0, so its first wait returns at once.
        Self(Arc::new(Shared {
            state: Mutex::default(),
            clock,
            queues: watch::Sender::new(1),
            timed: watch::Sender::new(1),
        }))
    }

    /// The state is whole even where a thread panicked with the lock: no call leaves it half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    fn generation(&self, kind: InterestKind) -> &watch::Sender<u64> {
        match kind {
            InterestKind::Queues => &self.0.queues,
            InterestKind::Timed => &self.0.timed,
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl Store for MemoryStore {
    fn commit<'a>(&'a self, batch: &'a Batch) -> Answer<'a, Commit> {
        Box::pin(async move {
            let commit = self.state().commit(batch, self.now());
            // After the change, so that who is woken finds it.
            for kind in [InterestKind::Queues, InterestKind::Timed] {
                if may_change(batch, kind) {
                    self.generation(kind)
                        .send_modify(|generation| *generation += 1);
                }
            }
            Ok(commit)
        })
    }

    fn claim<'a>(&'a self, request: &'a ClaimRequest) -> Answer<'a, Claim> {
        Box::pin(async move { Ok(self.state().claim(request)) })
    }

    fn renew<'a>(
        &'a self,
        owner: &'a Owner,
        lease: Duration,
        registration: Registration,
    ) -> Answer<'a, Renewed> {
        Box::pin(async move { Ok(self.state().renew(owner, lease, registration, self.now())) })
    }

    fn take_over<'a>(
        &'a self,
        owner: &'a Owner,
        seq: u64,
        from: &'a Owner,
        limit: usize,
    ) -> Answer<'a, Claim> {
        Box::pin(async move { Ok(self.state().take_over(owner, seq, from, limit, self.now())) })
    }

    fn wait<'a>(&'a self, interest: &'a Interest, timeout: Duration) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut generation = self.generation(interest.kind).subscribe();
            let seen = interest.seen.load(Ordering::Relaxed);
            let change = generation.wait_for(|current| *current != seen);
            // What is noted as seen is read before the caller looks again, so a change in between wakes the next wait.
            if let Ok(Ok(current)) = tokio::time::timeout(timeout, change).await {
                interest.seen.store(*current, Ordering::Relaxed);
            }
            Ok(())
        })
    }
}

impl Inspect for MemoryStore {
    fn page<'a>(&'a self, place: &'a PlaceName, cursor: u64, limit: usize) -> Answer<'a, Page> {
        Box::pin(async move { Ok(self.state().page(place, cursor, limit)) })
    }

    fn due<'a>(&'a self, set: TimedSet, now: Timestamp, limit: usize) -> Answer<'a, Due> {
        Box::pin(async move { Ok(self.state().due(set, now, limit)) })
    }

    fn find<'a>(&'a self, set: TimedSet, payload: &'a [u8]) -> Answer<'a, Option<Timestamp>> {
        Box::pin(async move { Ok(self.state().find(set, payload)) })
    }

    fn census(&self) -> Answer<'_, Census> {
        Box::pin(async move { Ok(self.state().census()) })
    }

    fn counter<'a>(&'a self, stat: Stat, day: Option<&'a str>) -> Answer<'a, u64> {
        Box::pin(async move { Ok(self.state().counter(stat, day)) })
    }

    fn members(&self, set: Members) -> Answer<'_, Vec<String>> {
        Box::pin(async move { Ok(self.state().members(set)) })
    }

    fn owners(&self) -> Answer<'_, Vec<OwnerInfo>> {
        Box::pin(async move { Ok(self.state().owners(self.now())) })
    }

    fn claims<'a>(&'a self, owner: &'a Owner, limit: usize) -> Answer<'a, Vec<Claimed>> {
        Box::pin(async move { Ok(self.state().claims(owner, limit)) })
    }
}

/// Whether a batch, applied or refused, can have changed what an interest of this kind waits for.
fn may_change(batch: &Batch, kind: InterestKind) -> bool {
    let mut effects = batch
        .txs
        .iter()
        .flat_map(|tx| tx.then.iter().chain(&tx.otherwise));
    effects.any(|effect| match effect {
        Effect::Put(_, Place::Queue { .. }) | Effect::Leave(Members::Paused, _) => {
            kind == InterestKind::Queues
        }
        Effect::Put(_, Place::Timed { .. }) => kind == InterestKind::Timed,
        _ => false,
    })
}
