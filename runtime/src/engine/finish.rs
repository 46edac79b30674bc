//! From how an execution ended to the transaction that settles it.
//!
//! Every transaction holds the claim or does nothing: that is the fence. One that puts a job back has a second guard, against jobs that
//! were cancelled meanwhile. What places the payload comes first, the release
//! after it, counters last.

use std::sync::Arc;

use bytes::Bytes;

use super::Engine;
use super::checkpoints::AtTheEnd;
use super::death::{self, Dying};
use super::failed::{self, Failed, Then};
use super::metrics::Series;
use crate::job::checkpoint::Checkpoints;
use crate::job::payload::{Edit, MAX_NESTING, Record, nesting, splice};
use crate::job::{Definition, Ending, FARTHEST, Failure, Outcome, Timestamp};
use crate::store::{ClaimId, Claimed, Effect, End, Guard, Place, TimedSet, Tx, keys};

/// What is known of an execution when it ends.
#[derive(Debug)]
pub(super) struct Finished<'a> {
    pub(super) claim: ClaimId,
    pub(super) claimed: &'a Claimed,
    /// Missing where the payload could not be read.
    pub(super) record: Option<&'a Record>,
    pub(super) definition: Option<&'static Definition>,
    /// Missing where nothing ran.
    pub(super) checkpoints: Option<&'a Checkpoints>,
}

/// What settles a claim.
#[derive(Debug)]
pub(super) struct Settlement {
    /// Without what becomes of a job that is given up, and of its checkpoints: it may still be discarded.
    pub(super) tx: Tx,
    /// Where the job is given up: what is announced before the transaction is committed.
    pub(super) death: Option<Dying>,
    /// Whether this process serves the class of a job that is given up, and the queue that it was taken from.
    given_up: Option<(bool, Arc<str>)>,
    checkpoints: AtTheEnd,
    now: Timestamp,
}

impl Settlement {
    /// The whole transaction, after the death of a job that is given up was announced.
    ///
    /// # Cancel safety
    /// Dropped, those that were not told yet are not.
    pub(super) async fn announced(mut self, engine: &Engine, ending: &mut Ending) -> Tx {
        if let Some(dying) = &mut self.death {
            // Boxed: every job's task would carry it, and few jobs die.
            Box::pin(death::announce(engine, dying, ending, self.now)).await;
        }
        self.unannounced(engine)
    }

    /// The whole transaction, where nobody is to be told.
    pub(super) fn unannounced(self, engine: &Engine) -> Tx {
        let Self {
            mut tx,
            death,
            given_up,
            checkpoints,
            now,
        } = self;
        let Some(dying) = death else {
            return tx;
        };
        if dying.buried {
            if let Some((is_served, queue)) = &given_up {
                let series = Series {
                    class: Some(dying.class()),
                    is_served: *is_served,
                    queue,
                };
                engine.observed().metrics.count(series, |it| it.died += 1);
            }
            tx.then
                .push(Effect::Put(dying.payload, timed(TimedSet::Dead, now)));
            tx.then.push(engine.config.dead_set.trim(now));
            tx.then.extend(checkpoints.kept);
        } else {
            tx.then.extend(checkpoints.forgotten);
        }
        tx.put_in_order();
        tx
    }
}

/// What becomes of a payload.
#[derive(Debug)]
pub(super) enum Fate {
    /// The job is done with.
    Done,
    /// It goes there.
    Moved(Bytes, Place),
    /// The job is given up.
    Died(Dying),
}

/// What settles the claim.
pub(super) fn settle(engine: &Engine, finished: Finished<'_>, ending: &Ending) -> Settlement {
    let now = engine.clock.now();
    let fate = fate(engine, &finished, ending, now);
    settle_as(engine, finished, ending, fate, now)
}

/// What settles the claim of a job that was lost once too often, where another process is to bury it.
pub(super) fn leave_burial(engine: &Engine, finished: Finished<'_>) -> Settlement {
    let now = engine.clock.now();
    let fate = failed::left(&finished, now);
    settle_as(engine, finished, &Ending::Lost, fate, now)
}

fn settle_as(
    engine: &Engine,
    finished: Finished<'_>,
    ending: &Ending,
    fate: Fate,
    now: Timestamp,
) -> Settlement {
    let mut checkpoints = AtTheEnd::of(&finished, &fate);
    let Finished {
        claim,
        claimed,
        record,
        ..
    } = finished;
    let mut tx = Tx::when(Guard::Holds(claim.clone()), Vec::with_capacity(4));
    let (mut death, mut given_up) = (None, None);
    match fate {
        Fate::Done => tx.then.extend(checkpoints.forgotten.take()),
        Fate::Moved(payload, place) => {
            count(engine, ending, &place, record, &claimed.queue);
            tx.then.push(Effect::Put(payload, place));
            tx.then.extend(checkpoints.kept.take());
            refuse_cancelled(&mut tx, &claim, claimed, record);
        }
        Fate::Died(dying) => {
            // Tried again by hand, it would run into the order to cancel that it has outlived.
            if !matches!(ending, Ending::Cancelled) {
                refuse_cancelled(&mut tx, &claim, claimed, record);
            }
            let served = Series::of(engine, record, &claimed.queue).is_served;
            given_up = Some((served, claimed.queue.clone()));
            death = Some(dying);
        }
    }
    tx.then.push(Effect::Release(claim));
    if let (Ending::Cancelled, Some(record)) = (ending, record) {
        let jid = record.jid().as_str();
        tx.then.push(Effect::Unset(keys::cancelled(jid)));
    }
    for layer in &engine.layers {
        layer.finish(record, ending, &mut tx);
    }
    tx.put_in_order();
    Settlement {
        tx,
        death,
        given_up,
        checkpoints,
        now,
    }
}

fn count(
    engine: &Engine,
    ending: &Ending,
    place: &Place,
    record: Option<&Record>,
    queue: &Arc<str>,
) {
    match (ending, place) {
        (Ending::Returned(Outcome::Interrupted), _) => engine.observed().interrupted.add(1),
        (
            _,
            Place::Timed {
                set: TimedSet::Retry,
                ..
            },
        ) => {
            let series = Series::of(engine, record, queue);
            engine
                .observed()
                .metrics
                .count(series, |it| it.retried += 1);
        }
        _ => {}
    }
}

/// A job that was cancelled since it was claimed goes back to no place: its claim ends, and that is all. So an order to cancel holds
/// whatever becomes of the execution that it was meant for: a failure at the same moment, a stop, the death of its process.
fn refuse_cancelled(tx: &mut Tx, claim: &ClaimId, claimed: &Claimed, record: Option<&Record>) {
    let read;
    let record = match record {
        Some(record) => Some(record),
        None => {
            read = Record::parse(claimed.payload.clone()).ok();
            read.as_ref()
        }
    };
    let Some(jid) = record.map(|record| record.jid().as_str()) else {
        return;
    };
    tx.when.push(Guard::Absent(keys::cancelled(jid)));
    tx.otherwise.push(Effect::Release(claim.clone()));
}

fn fate(engine: &Engine, finished: &Finished<'_>, ending: &Ending, now: Timestamp) -> Fate {
    let claimed = finished.claimed;
    let failed = |class, message: &str, then| {
        let failed = Failed {
            class,
            message,
            backtrace: &[],
            error: None,
            then,
        };
        failed::fate(engine, finished, failed, now)
    };
    match ending {
        Ending::HandedBack | Ending::Returned(Outcome::Interrupted) => {
            Fate::Moved(claimed.payload.clone(), head(claimed))
        }
        Ending::Returned(Outcome::Done) => Fate::Done,
        Ending::Returned(Outcome::Snooze(delay)) if *delay > FARTHEST => {
            let message = format!(
                "the job asked to be put off for {delay:?}, and a job waits for 100 years at most"
            );
            failed("sancho::Outcome::Snooze", &message, Then::Retry(None))
        }
        Ending::Returned(Outcome::Snooze(delay)) => {
            let edits = [
                Edit::string("queue", &claimed.queue),
                Edit::Remove("enqueued_at"),
            ];
            let payload = edited(&claimed.payload, &edits);
            if nesting(&payload) > MAX_NESTING {
                let message = format!("the job asked to be put off for {delay:?}");
                return failed("sancho::Outcome::Snooze", &message, Then::PutOff);
            }
            Fate::Moved(payload, timed(TimedSet::Schedule, now.after(*delay)))
        }
        Ending::Returned(Outcome::Retry(delay)) => {
            let message = format!("the job asked to be tried again after {delay:?}");
            failed(
                "sancho::Outcome::Retry",
                &message,
                Then::Retry(Some(*delay)),
            )
        }
        Ending::Returned(Outcome::Dead(reason)) => {
            failed("sancho::Outcome::Dead", reason, Then::Kill)
        }
        Ending::Returned(Outcome::Discard(reason)) => {
            failed("sancho::Outcome::Discard", reason, Then::Discard)
        }
        Ending::Failed(failure) => failed::fate(engine, finished, Failed::from(failure), now),
        Ending::Cancelled => {
            let message = "the job was cancelled by a user";
            failed("sancho::Cancelled", message, Then::Discard)
        }
        Ending::Unreadable(Failure { class, message, .. }) => {
            Fate::Died(Dying::new(claimed.payload.clone(), true, class, message))
        }
        Ending::Lost => failed::recovered(engine, finished, now),
    }
}

/// A payload with fields changed. One that is no JSON object stays as it is.
pub(super) fn edited(payload: &Bytes, edits: &[Edit]) -> Bytes {
    splice(payload, edits).map_or_else(|| payload.clone(), Bytes::from)
}

pub(super) fn head(claimed: &Claimed) -> Place {
    Place::Queue {
        name: claimed.queue.clone(),
        end: End::Head,
    }
}

pub(super) fn timed(set: TimedSet, at: Timestamp) -> Place {
    Place::Timed { set, at }
}
