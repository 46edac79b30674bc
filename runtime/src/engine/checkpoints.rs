//! The checkpoints of running jobs: in the store under Sidekiq's names, behind the fence of their claim.
//!
//! While a job runs they are written every few seconds at most. What is left when it ends goes into the transaction that ends
//! it, so nothing but a crash loses any.

use std::sync::{Arc, OnceLock};

use super::Engine;
use super::finish::{Fate, Finished};
use super::points::Point;
use crate::job::checkpoint::{Answer, CANCELLED, Checkpoints, Keeper, Keeping, Unwritten};
use crate::job::payload::Record;
use crate::job::{Ending, Iteration, JobId, Outcome, Timestamp, one_line, short};
use crate::store::{Batch, ClaimId, Commit, Effect, Guard, Key, Lane, Tx, TxResult, keys};

/// The checkpoints of a claimed job.
pub(super) fn of(engine: &Arc<Engine>, claim: &ClaimId) -> Arc<Checkpoints> {
    Arc::new(Checkpoints::new(InStore {
        engine: engine.clone(),
        claim: claim.clone(),
        lane: OnceLock::new(),
    }))
}

/// How the execution ended: an interruption of a job that was cancelled is its end.
pub(super) fn ending(checkpoints: &Checkpoints, ending: Ending) -> Ending {
    match ending {
        Ending::Returned(Outcome::Interrupted) if checkpoints.is_cancelled() => {
            Ending::Returned(Outcome::Done)
        }
        ending => ending,
    }
}

/// What becomes of the checkpoints with the job.
#[derive(Debug)]
pub(super) struct AtTheEnd {
    /// Keeps them for its next run. Those of a job in the dead set are kept as well, as in Sidekiq: tried again, it goes on where it was.
    pub(super) kept: Option<Effect>,
    /// Forgets them: the job is over for good.
    pub(super) forgotten: Option<Effect>,
}

impl AtTheEnd {
    pub(super) fn of(finished: &Finished<'_>, fate: &Fate) -> Self {
        let used = finished
            .checkpoints
            .filter(|checkpoints| checkpoints.is_used());
        // Few jobs are given up, and an earlier execution may have left some, in a process that died for instance.
        let may_have_some = used.is_some() || matches!(fate, Fate::Died(_));
        let kept = || Some(set(key(finished)?, used?.unwritten()?));
        let forgotten = || Some(Effect::Unset(key(finished)?));
        Self {
            kept: kept(),
            forgotten: may_have_some.then(forgotten).flatten(),
        }
    }
}

fn key(finished: &Finished<'_>) -> Option<Key> {
    if let Some(record) = finished.record {
        return Some(keys::iteration(record.jid().as_str()));
    }
    let record = Record::parse(finished.claimed.payload.clone()).ok()?;
    Some(keys::iteration(record.jid().as_str()))
}

fn set(key: Key, fields: Unwritten) -> Effect {
    Effect::SetFields {
        key,
        fields,
        ttl: Some(Iteration::KEPT_FOR),
    }
}

/// Keeps the checkpoints of one execution in the store.
#[derive(Debug)]
struct InStore {
    engine: Arc<Engine>,
    claim: ClaimId,
    /// A lane of its own: a write that comes late finds a later one, and does nothing.
    lane: OnceLock<Lane>,
}

impl InStore {
    async fn read(&self, jid: &JobId) -> Iteration {
        let keys = [keys::iteration(jid.as_str())];
        let (store, away) = (&self.engine.store, &self.engine.away);
        let fields = away.insist(|| store.fields(&keys)).await;
        let read = fields.first().and_then(|fields| Iteration::read(fields));
        read.unwrap_or_default()
    }

    /// Asks once: a store that is away holds no job up.
    async fn write(&self, jid: &JobId, number: u64, fields: Unwritten) -> Keeping {
        let key = keys::iteration(jid.as_str());
        let tx = Tx {
            when: vec![
                Guard::Holds(self.claim.clone()),
                Guard::AbsentField(key.clone(), CANCELLED.into()),
            ],
            then: vec![set(key, fields)],
            otherwise: Vec::new(),
        };
        let batch = Batch {
            lane: self.lane.get_or_init(Lane::random).clone(),
            seq: number,
            txs: vec![tx],
        };
        let jid = short(jid.as_str());
        self.engine.points.reach(Point::Checkpoint);
        let committed = self.engine.store.commit(&batch).await;
        self.engine.points.reach(Point::Checkpoint);
        match committed {
            Ok(Commit::Done(results)) => match results.into_iter().next() {
                Some(TxResult::Applied) => Keeping::Kept,
                Some(TxResult::Refused { by: 0 }) => Keeping::Lost,
                Some(TxResult::Refused { .. }) => Keeping::Cancelled,
                Some(TxResult::Failed { error }) => {
                    let error = one_line(error);
                    tracing::error!(jid, %error, "the store could not keep a checkpoint, it is tried again with a later one: {error}");
                    Keeping::Unknown
                }
                None => Keeping::Unknown,
            },
            Ok(Commit::Stale) => Keeping::Unknown,
            Err(error) => {
                let error = one_line(error);
                tracing::warn!(jid, %error, "a checkpoint was not kept, it is tried again with a later one: {error}");
                Keeping::Unknown
            }
        }
    }
}

impl Keeper for InStore {
    fn now(&self) -> Timestamp {
        self.engine.clock.now()
    }

    fn load<'a>(&'a self, jid: &'a JobId) -> Answer<'a, Iteration> {
        Box::pin(self.read(jid))
    }

    fn keep<'a>(&'a self, jid: &'a JobId, number: u64, fields: Unwritten) -> Answer<'a, Keeping> {
        Box::pin(self.write(jid, number, fields))
    }
}
