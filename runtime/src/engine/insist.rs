//! Asking the store until it answers.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::observe::{Counter, Times};
use crate::job::one_line;
use crate::store::{Answer, Batch, Commit, Lane, Store, Tx, TxResult, Unavailable};

/// The waits between two attempts: doubled from the first to the last, each with jitter.
const WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Whether the store is away. Shared by all duties of a server, so that going and coming back are logged once each.
#[derive(Debug, Default)]
pub(super) struct Away {
    since: Mutex<Option<Instant>>,
    trips: Trips,
}

/// What was asked of the store.
#[derive(Debug, Default)]
pub(super) struct Trips {
    /// How long those took that were answered.
    pub(super) took: Times,
    pub(super) errors: Counter,
    /// Since when a claim waits for its answer.
    claiming: Mutex<Option<Instant>>,
}

/// A claim that waits for its answer.
pub(super) struct Claiming<'a>(&'a Trips);

impl Away {
    pub(super) fn is_away(&self) -> bool {
        self.since().is_some()
    }

    pub(super) fn trips(&self) -> &Trips {
        &self.trips
    }

    fn lost(&self, error: &Unavailable) {
        let mut since = self.since();
        if since.is_none() {
            *since = Some(Instant::now());
            let error = one_line(error);
            tracing::error!(%error, "the store is away, trying on: {error}");
        }
    }

    fn answered(&self) {
        if let Some(since) = self.since().take() {
            let away = since.elapsed();
            tracing::info!(
                away_ms = away.as_millis(),
                "the store is back after {away:?}"
            );
        }
    }

    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks until there is an answer. What is asked must be repeatable.
    pub(super) async fn insist<'a, T>(&self, mut ask: impl FnMut() -> Answer<'a, T>) -> T {
        let (mut wait, longest) = WAITS;
        let mut failed = false;
        loop {
            let start = Instant::now();
            match ask().await {
                Ok(answer) => {
                    self.trips.took.observe(start.elapsed());
                    if failed {
                        self.answered();
                    }
                    return answer;
                }
                Err(error) => {
                    failed = true;
                    self.trips.errors.add(1);
                    self.lost(&error);
                    sleep(wait.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                    wait = (wait * 2).min(longest);
                }
            }
        }
    }
}

impl Trips {
    /// A claim waits from now on until what is returned is dropped. There is one at a time.
    pub(super) fn claim(&self) -> Claiming<'_> {
        *self.claiming() = Some(Instant::now());
        Claiming(self)
    }

    /// How long the claim waits that waits.
    pub(super) fn claim_waits_for(&self) -> Duration {
        self.claiming().map_or(Duration::ZERO, |it| it.elapsed())
    }

    fn claiming(&self) -> MutexGuard<'_, Option<Instant>> {
        self.claiming.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claiming<'_> {
    fn drop(&mut self) {
        *self.0.claiming() = None;
    }
}

/// A lane of commits: one batch in flight, repeated until it is answered.
#[derive(Debug)]
pub(super) struct CommitLane {
    lane: Lane,
    seq: u64,
}

impl CommitLane {
    pub(super) fn new() -> Self {
        Self {
            lane: Lane::random(),
            seq: 0,
        }
    }

    /// The next batch. The lane goes on to it once it is [`settled`](Self::settle).
    pub(super) fn batch(&self, txs: Vec<Tx>) -> Batch {
        Batch {
            lane: self.lane.clone(),
            seq: self.seq + 1,
            txs,
        }
    }

    /// Takes note of a batch's answer. `None` says that the lane was stale, which nothing but a store that went back in
    /// time can bring about: the next batch goes through a new lane. Everything the engine commits has a guard that refuses it the second time.
    pub(super) fn settle(&mut self, commit: Commit) -> Option<Vec<TxResult>> {
        match commit {
            Commit::Done(results) => {
                self.seq += 1;
                Some(results)
            }
            Commit::Stale => {
                tracing::warn!(lane = %self.lane, seq = self.seq + 1, "the store knows a later batch of this lane: going on with a new one");
                *self = Self::new();
                None
            }
        }
    }

    /// Commits, until there is an answer. Each transaction must have a guard that refuses it the second time.
    pub(super) async fn commit(
        &mut self,
        store: &dyn Store,
        away: &Away,
        txs: Vec<Tx>,
    ) -> Vec<TxResult> {
        let mut batch = self.batch(txs);
        loop {
            let commit = away.insist(|| store.commit(&batch)).await;
            if let Some(results) = self.settle(commit) {
                return results;
            }
            batch = self.batch(batch.txs);
        }
    }
}
