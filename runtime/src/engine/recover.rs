//! Taking over what dead processes held.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Engine;
use super::finish::{self, Finished};
use super::insist::CommitLane;
use super::session::Claims;
use crate::job::Ending;
use crate::job::payload::Record;
use crate::store::{ClaimId, Claimed, Owner, Tx, TxResult};

/// How many claims are taken over in one round trip: a bound for the size of its answer.
const BITE: usize = 100;

/// How many orphans wait for recovery at most.
pub(super) const MAX_WAITING: usize = 1_024;

/// Something that nobody works on.
#[derive(Debug)]
pub(super) enum Orphan {
    /// All claims of an owner whose lease ran out.
    Owner(Owner),
    /// A claim of our own that no task here knows.
    Claim(ClaimId, Claimed),
}

pub(super) struct Recover {
    engine: Arc<Engine>,
    lane: CommitLane,
    orphans: mpsc::Receiver<Orphan>,
}

impl Recover {
    pub(super) fn new(engine: Arc<Engine>, orphans: mpsc::Receiver<Orphan>) -> Self {
        Self {
            engine,
            lane: CommitLane::new(),
            orphans,
        }
    }

    /// Runs until the server stops; what it has taken over it puts back first.
    pub(super) async fn run(mut self, stopping: CancellationToken) {
        while let Some(Some(orphan)) = stopping.run_until_cancelled(self.orphans.recv()).await {
            self.step(orphan).await;
        }
    }

    async fn step(&mut self, orphan: Orphan) {
        let lost = match orphan {
            Orphan::Claim(claim, claimed) => vec![(claim, claimed)],
            Orphan::Owner(owner) => self.take_over(&owner).await,
        };
        if lost.is_empty() {
            return;
        }
        tracing::warn!(
            jobs = lost.len(),
            "recovered {} jobs that nobody worked on",
            lost.len()
        );
        // From last to first, each to the head of its queue: so the first stands at the head in the end.
        for bite in lost.rchunks(BITE) {
            let txs: Vec<_> = bite
                .iter()
                .rev()
                .map(|(claim, claimed)| self.settle(claim, claimed))
                .collect();
            let results = self
                .lane
                .commit(self.engine.store.as_ref(), &self.engine.away, txs)
                .await;
            for error in results.iter().filter_map(|result| {
                if let TxResult::Failed { error } = result {
                    Some(error)
                } else {
                    None
                }
            }) {
                tracing::error!(%error, "the store could not take a recovered job back, it is tried again: {error}");
            }
            self.engine
                .session
                .disown(bite.iter().map(|(claim, _)| claim))
                .await;
        }
    }

    async fn take_over(&self, owner: &Owner) -> Vec<(ClaimId, Claimed)> {
        let mut lost = Vec::new();
        loop {
            match self.engine.session.take_over(owner, BITE).await {
                Claims::Taken { jobs, .. } if jobs.is_empty() => return lost,
                Claims::Taken { owner, jobs, .. } => {
                    lost.extend(jobs.into_iter().map(|job| {
                        (
                            ClaimId {
                                owner: owner.clone(),
                                token: job.token,
                            },
                            job,
                        )
                    }));
                }
                Claims::Evicted => {
                    self.engine.evicted.notify_one();
                    return lost;
                }
            }
        }
    }

    fn settle(&self, claim: &ClaimId, claimed: &Claimed) -> Tx {
        let record = Record::parse(claimed.payload.clone()).ok();
        let definition = record
            .as_ref()
            .and_then(|record| self.engine.registry.resolve(record).ok())
            .map(|job| job.definition);
        let finished = Finished {
            claim: claim.clone(),
            claimed,
            record: record.as_ref(),
            definition,
        };
        finish::transaction(&self.engine, finished, &Ending::Lost)
    }
}
