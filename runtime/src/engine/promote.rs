//! Moving due entries of the schedule and the retry set into their queues.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::Engine;
use super::config::EngineConfig;
use super::insist::CommitLane;
use super::points::Point;
use crate::job::payload::{Edit, Fields, splice};
use crate::job::{Timestamp, one_line};
use crate::store::{Effect, End, Entry, Guard, Interest, Place, TimedSet, Tx, TxResult};

/// How many entries are read and moved at once.
const PAGE: usize = 500;

/// How long it rests between two looks that found nothing, so that a stream of pushes for later is not a stream of looks.
const REST: Duration = Duration::from_millis(5);

/// How long it rests where the store could not move what is due.
const FAILED_REST: Duration = Duration::from_secs(1);

/// The sets that are promoted from. They take turns, so that a full retry set does not hold up the schedule.
const SETS: [TimedSet; 2] = [TimedSet::Retry, TimedSet::Schedule];

pub(super) struct Promote {
    engine: Arc<Engine>,
    lane: CommitLane,
    interest: Interest,
    failing: bool,
}

/// What a step has seen.
struct Step {
    /// Whether a page was full, so that there may be more that is due.
    more: bool,
    /// When the next entry is due.
    next: Option<Timestamp>,
    /// Whether the store could not move some of it.
    failed: bool,
}

impl Promote {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self {
            engine,
            lane: CommitLane::new(),
            interest: Interest::timed(),
            failing: false,
        }
    }

    /// Runs until the server stops. A step that is cut off has moved each entry wholly or not at all.
    pub(super) async fn run(mut self, stopping: CancellationToken) {
        let work = async {
            loop {
                let step = self.step().await;
                if step.failed {
                    tokio::time::sleep(FAILED_REST).await;
                } else if !step.more {
                    self.sleep(step.next).await;
                }
            }
        };
        stopping.run_until_cancelled(work).await;
    }

    async fn step(&mut self) -> Step {
        let mut step = Step {
            more: false,
            next: None,
            failed: false,
        };
        for set in SETS {
            let now = self.engine.clock.now();
            let store = self.engine.store.as_ref();
            let due = self.engine.away.insist(|| store.due(set, now, PAGE)).await;
            step.more |= due.entries.len() == PAGE;
            step.next = [step.next, due.next].into_iter().flatten().min();
            if !due.entries.is_empty() {
                let txs = due
                    .entries
                    .iter()
                    .map(|entry| promotion(&self.engine.config, set, &entry.payload, now))
                    .collect();
                self.engine.points.reach(Point::Promoting);
                let results = self.lane.commit(store, &self.engine.away, txs).await;
                self.engine.points.reach(Point::Promoting);
                self.observe(set, &due.entries, &results, now);
                step.failed |= self.report(&results);
            }
        }
        step
    }

    /// Counts how late what was moved is.
    fn observe(&self, set: TimedSet, entries: &[Entry], results: &[TxResult], now: Timestamp) {
        let observed = self.engine.observed();
        let lag = match set {
            TimedSet::Retry => &observed.retry_lag,
            _ => &observed.schedule_lag,
        };
        for (entry, result) in entries.iter().zip(results) {
            if let (Some(at), TxResult::Applied) = (entry.at, result) {
                lag.observe(now.since(at));
            }
        }
    }

    /// Says once that due jobs cannot be moved.
    fn report(&mut self, results: &[TxResult]) -> bool {
        let error = results.iter().find_map(|result| match result {
            TxResult::Failed { error } => Some(error),
            _ => None,
        });
        if let Some(error) = error
            && !self.failing
        {
            let error = one_line(error);
            tracing::error!(%error, "the store could not move due jobs, they stay and are tried again: {error}");
        }
        self.failing = error.is_some();
        self.failing
    }

    async fn sleep(&self, next: Option<Timestamp>) {
        let now = self.engine.clock.now();
        // The longest sleep is a belt for wake-ups that are lost.
        let longest = self.engine.config.poll_interval;
        let until_next = next.map_or(longest, |next| next.since(now));
        if until_next <= REST {
            tokio::time::sleep(until_next).await;
            return;
        }
        tokio::time::sleep(REST).await;
        let timeout = until_next.min(longest).saturating_sub(REST);
        self.engine.wait(&self.interest, timeout).await;
    }
}

/// Moves one entry; another process that was faster makes it do nothing. An entry that is no object goes to the dead set as
/// it is, so that it does not stand at the head of the page for ever.
pub(super) fn promotion(
    config: &EngineConfig,
    set: TimedSet,
    payload: &Bytes,
    now: Timestamp,
) -> Tx {
    let edits = [
        Edit::Set("enqueued_at", config.wire.time(now).into()),
        Edit::Remove("at"),
    ];
    let promoted = Fields::read(payload).zip(splice(payload, &edits));
    let mut then = Vec::with_capacity(3);
    match promoted {
        Some((fields, promoted)) => {
            let name = fields.queue().unwrap_or("default".into()).into();
            let end = End::Tail;
            then.push(Effect::Put(promoted.into(), Place::Queue { name, end }));
        }
        None => {
            let set = TimedSet::Dead;
            then.push(Effect::Put(payload.clone(), Place::Timed { set, at: now }));
            then.push(config.dead_set.trim(now));
        }
    }
    then.push(Effect::Take(set.into(), payload.clone()));
    let mut tx = Tx::when(Guard::Contains(set.into(), payload.clone()), then);
    tx.put_in_order();
    tx
}
