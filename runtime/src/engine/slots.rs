//! The jobs that run: kept by the loop that fills the slots, looked at by whoever shows them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::execute::Running;
use crate::job::Timestamp;
use crate::store::{ClaimId, Claimed};

/// The jobs that run.
#[derive(Debug, Default)]
pub(super) struct Slots(Mutex<HashMap<ClaimId, Running>>);

/// A job that runs, as others see it.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) claim: ClaimId,
    pub(super) claimed: Claimed,
    pub(super) since: Timestamp,
}

impl Slots {
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(super) fn insert(&self, claim: ClaimId, running: Running) {
        self.lock().insert(claim, running);
    }

    pub(super) fn remove(&self, claim: &ClaimId) -> Option<Running> {
        self.lock().remove(claim)
    }

    /// Gives up those that are not to be kept, and tells them.
    pub(super) fn retain(&self, kept: impl Fn(&ClaimId) -> bool) {
        self.lock().retain(|claim, running| {
            if !kept(claim) {
                running.cancelled.cancel();
            }
            kept(claim)
        });
    }

    /// Tells all of them that they are given up. They stay until they are taken.
    pub(super) fn abort(&self) {
        for running in self.lock().values() {
            running.cancelled.cancel();
            running.task.abort();
        }
    }

    /// Takes all of them, in the order in which they were claimed.
    pub(super) fn take(&self) -> Vec<Running> {
        let mut all: Vec<_> = self.lock().drain().map(|(_, running)| running).collect();
        all.sort_by(|a, b| a.claim.cmp(&b.claim));
        all
    }

    /// What runs, the oldest first.
    pub(super) fn work(&self) -> Vec<Work> {
        let work = |(claim, running): (&ClaimId, &Running)| Work {
            claim: claim.clone(),
            claimed: running.claimed.clone(),
            since: running.since,
        };
        let mut all: Vec<_> = self.lock().iter().map(work).collect();
        all.sort_by(|a, b| (a.since, &a.claim).cmp(&(b.since, &b.claim)));
        all
    }

    /// Nothing that holds the lock can panic half-way.
    fn lock(&self) -> MutexGuard<'_, HashMap<ClaimId, Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
