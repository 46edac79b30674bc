//! Taking over what dead processes held.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::finish::{self, Finished, Settlement};
use super::insist::CommitLane;
use super::mourn::Mourners;
use super::points::Point;
use super::session::Claims;
use super::{Engine, failed};
use crate::job::payload::Record;
use crate::job::{Definition, Ending, one_line};
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
    /// What is given up while its handlers are told. It stays claimed: cut off, it is taken over by another process.
    dying: JoinSet<Settled>,
    /// How many are told of at once.
    slots: Arc<Semaphore>,
}

impl<'a> Finished<'a> {
    /// Of a process that died.
    fn lost(
        claim: &ClaimId,
        claimed: &'a Claimed,
        record: Option<&'a Record>,
        definition: Option<&'static Definition>,
    ) -> Self {
        Self {
            claim: claim.clone(),
            claimed,
            record,
            definition,
            checkpoints: None,
        }
    }
}

/// A claim, and what settles it.
type Settled = (ClaimId, Tx);

impl Recover {
    pub(super) fn new(engine: Arc<Engine>, orphans: mpsc::Receiver<Orphan>) -> Self {
        Self {
            lane: CommitLane::new(),
            orphans,
            dying: JoinSet::new(),
            slots: Arc::new(Semaphore::new(engine.concurrency())),
            engine,
        }
    }

    /// Runs until the server stops; what it has taken over it puts back first.
    pub(super) async fn run(mut self, stopping: CancellationToken) {
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                orphan = self.orphans.recv() => match orphan {
                    Some(orphan) => self.step(orphan).await,
                    None => return,
                },
                Some(Ok(settled)) = self.dying.join_next() => self.commit(vec![settled]).await,
            }
        }
    }

    async fn step(&mut self, orphan: Orphan) {
        let lost = match orphan {
            Orphan::Claim(claim, claimed) => vec![(claim, claimed)],
            Orphan::Owner(owner) => {
                self.engine.points.reach(Point::TakingOver);
                self.take_over(&owner).await
            }
        };
        if lost.is_empty() {
            return;
        }
        self.engine.points.reach(Point::TakingOver);
        self.engine.observed().recovered.add(lost.len());
        tracing::warn!(
            jobs = lost.len(),
            "recovered {} jobs that nobody worked on",
            lost.len()
        );
        let mut mourners = None;
        // From last to first, each to the head of its queue: so the first stands at the head in the end.
        for bite in lost.rchunks(BITE) {
            let mut settled = Vec::with_capacity(bite.len());
            for (claim, claimed) in bite.iter().rev() {
                let (mut settlement, ending) = self.settle(claim, claimed);
                if settlement.death.is_some()
                    && let Some((record, class)) = self.unknown(claimed)
                {
                    if mourners.is_none() {
                        mourners = Some(Mourners::look(&self.engine).await);
                    }
                    if (mourners.as_ref()).is_some_and(|them| them.take(&class, &claimed.queue)) {
                        let finished = Finished::lost(claim, claimed, Some(&record), None);
                        settlement = finish::leave_burial(&self.engine, finished);
                    }
                }
                if let Some(dying) = &settlement.death {
                    tracing::error!("gave up a job that nobody worked on: {}", one_line(dying));
                    if dying.is_of_interest(&self.engine) {
                        self.announce(claim.clone(), settlement, ending);
                        continue;
                    }
                }
                settled.push((claim.clone(), settlement.unannounced(&self.engine)));
            }
            self.commit(settled).await;
        }
        self.engine.points.reach(Point::TakingOver);
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
                    self.engine.evicted();
                    return lost;
                }
            }
        }
    }

    fn settle(&self, claim: &ClaimId, claimed: &Claimed) -> (Settlement, Ending) {
        let (record, ending) = match Record::parse(claimed.payload.clone()) {
            Ok(record) => (Some(record), Ending::Lost),
            Err(malformed) => (None, Ending::malformed(&malformed)),
        };
        let definition = record
            .as_ref()
            .and_then(|record| self.engine.registry.resolve(record).ok())
            .map(|job| job.definition);
        let finished = Finished::lost(claim, claimed, record.as_ref(), definition);
        (finish::settle(&self.engine, finished, &ending), ending)
    }

    /// A job of a class that this process does not serve, unless it was left to others before.
    fn unknown(&self, claimed: &Claimed) -> Option<(Record, String)> {
        let record = Record::parse(claimed.payload.clone()).ok()?;
        let class = self.engine.registry.resolve(&record).err()?;
        (!failed::is_given_up(Some(&record))).then_some((record, class))
    }

    /// Announces a death, on a task of its own: other orphans do not wait for it.
    fn announce(&mut self, claim: ClaimId, settlement: Settlement, mut ending: Ending) {
        let (engine, slots) = (self.engine.clone(), self.slots.clone());
        self.dying.spawn(async move {
            // Nobody closes it.
            let _slot = slots.acquire().await;
            (claim, settlement.announced(&engine, &mut ending).await)
        });
    }

    async fn commit(&mut self, settled: Vec<Settled>) {
        if settled.is_empty() {
            return;
        }
        let (claims, txs): (Vec<_>, Vec<_>) = settled.into_iter().unzip();
        let results = self
            .lane
            .commit(self.engine.store.as_ref(), &self.engine.away, txs)
            .await;
        for (claim, result) in claims.iter().zip(&results) {
            match result {
                TxResult::Failed { error } => {
                    let error = one_line(error);
                    tracing::error!(%error, "the store could not take a recovered job back, it is tried again: {error}");
                }
                TxResult::Refused { by } if *by > 0 => {
                    tracing::info!(
                        ?claim,
                        "discarded: it was cancelled by a user before its process died"
                    );
                }
                TxResult::Applied | TxResult::Refused { .. } => {}
            }
        }
        self.engine.session.disown(&claims).await;
    }
}
