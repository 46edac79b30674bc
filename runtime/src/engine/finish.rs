//! From how an execution ended to the transaction that settles it.
//!
//! Every transaction holds the claim or does nothing: that is the fence. What places the payload comes first, the release
//! after it, counters last.

use bytes::Bytes;

use super::Engine;
use crate::job::payload::{Edit, MAX_ERROR_MESSAGE, Record, Recoveries, splice};
use crate::job::{Definition, Ending, Failure, Outcome, Retry, Timestamp, backoff};
use crate::store::{ClaimId, Claimed, Effect, End, Guard, Place, TimedSet, Tx};

/// A poison pill: a job that was taken over from a dead process this often within [`Recoveries::WINDOW`] goes to the dead
/// set, since it may well be what kills them. As in Sidekiq Pro.
pub(super) const MAX_RECOVERIES: u32 = 3;

/// What is known of an execution when it ends.
#[derive(Debug)]
pub(super) struct Finished<'a> {
    pub(super) claim: ClaimId,
    pub(super) claimed: &'a Claimed,
    /// Missing where the payload could not be read.
    pub(super) record: Option<&'a Record>,
    pub(super) definition: Option<&'static Definition>,
}

/// The transaction that settles the claim.
pub(super) fn transaction(engine: &Engine, finished: Finished<'_>, ending: &Ending) -> Tx {
    let now = engine.clock.now();
    let put = place(engine, &finished, ending, now);
    let Finished { claim, record, .. } = finished;
    let mut tx = Tx::when(Guard::Holds(claim.clone()), Vec::with_capacity(4));
    if let Some((payload, place)) = put {
        if let Place::Timed {
            set: TimedSet::Dead,
            ..
        } = place
        {
            tx.then.push(engine.config.dead_set.trim(now));
        }
        tx.then.push(Effect::Put(payload, place));
    }
    tx.then.push(Effect::Release(claim));
    for layer in &engine.layers {
        layer.finish(record, ending, &mut tx);
    }
    tx.put_in_order();
    tx
}

/// Where the payload goes, and as what; nowhere, where the job is done with.
fn place(
    engine: &Engine,
    finished: &Finished<'_>,
    ending: &Ending,
    now: Timestamp,
) -> Option<(Bytes, Place)> {
    let Finished {
        claimed,
        record,
        definition,
        ..
    } = finished;
    let as_it_came = || claimed.payload.clone();
    match ending {
        Ending::HandedBack | Ending::Returned(Outcome::Interrupted) => {
            Some((as_it_came(), head(claimed)))
        }
        Ending::Returned(Outcome::Done | Outcome::Discard(_)) => None,
        Ending::Returned(Outcome::Snooze(delay)) => {
            let payload = edited(&claimed.payload, &[Edit::Remove("enqueued_at")]);
            Some((payload, timed(TimedSet::Schedule, now.after(*delay))))
        }
        Ending::Returned(Outcome::Dead(reason)) => {
            let edits = error_fields("sancho::Outcome::Dead", reason, *record, now);
            Some((edited(&claimed.payload, &edits), timed(TimedSet::Dead, now)))
        }
        Ending::Returned(Outcome::Retry(delay)) => {
            let reason = format!("the job asked to be tried again after {delay:?}");
            let try_again = Failed {
                class: "sancho::Outcome::Retry",
                message: &reason,
                delay: Some(*delay),
            };
            retry(engine, claimed, *record, *definition, &try_again, now)
        }
        Ending::Failed(Failure { class, message, .. }) => retry(
            engine,
            claimed,
            *record,
            *definition,
            &Failed {
                class,
                message,
                delay: None,
            },
            now,
        ),
        Ending::Lost => Some(recovered(claimed, *record, now)),
    }
}

struct Failed<'a> {
    class: &'a str,
    message: &'a str,
    delay: Option<std::time::Duration>,
}

/// Sidekiq's retry: `retry_count` is 0 after the first failure; the job is exhausted once it has reached its retries.
fn retry(
    engine: &Engine,
    claimed: &Claimed,
    record: Option<&Record>,
    definition: Option<&Definition>,
    failed: &Failed<'_>,
    now: Timestamp,
) -> Option<(Bytes, Place)> {
    let mut edits = error_fields(failed.class, failed.message, record, now);
    let Some(record) = record else {
        // No job: nobody can try it again. Bytes that are an object say why they are here, others stay as they came.
        return Some((edited(&claimed.payload, &edits), timed(TimedSet::Dead, now)));
    };
    let count = record
        .retry_count()
        .map_or(0, |count| count.saturating_add(1));
    edits.push(Edit::integer("retry_count", count.into()));
    if record.retry_count().is_some() {
        edits.push(Edit::integer("retried_at", now.as_millis()));
    }
    let most = match record
        .retry()
        .or(definition.map(|job| job.retry))
        .unwrap_or(Retry::Default)
    {
        Retry::Never => return None,
        Retry::Default => engine.config.max_retries,
        Retry::Times(times) => times,
    };
    edits.push(Edit::string("queue", &claimed.queue));
    let payload = edited(&claimed.payload, &edits);
    if count >= most {
        return Some((payload, timed(TimedSet::Dead, now)));
    }
    let delay = failed
        .delay
        .unwrap_or_else(|| backoff::delay(count))
        .saturating_add(backoff::jitter(count));
    Some((payload, timed(TimedSet::Retry, now.after(delay))))
}

/// A job that was taken over goes back to the head of its queue with its recoveries counted, or, at the third, to the
/// dead set.
fn recovered(claimed: &Claimed, record: Option<&Record>, now: Timestamp) -> (Bytes, Place) {
    let Some(record) = record else {
        return (claimed.payload.clone(), timed(TimedSet::Dead, now));
    };
    let recoveries = Recoveries::after(record.recoveries(), claimed.recoveries.max(1), now);
    let text = serde_json::to_string(&recoveries).expect("two numbers are always JSON");
    let mut edits = vec![Edit::Set("sancho_recoveries", text.into())];
    if recoveries.count < MAX_RECOVERIES {
        return (edited(&claimed.payload, &edits), head(claimed));
    }
    let message = format!(
        "the process that held the job died, {} times in 72 hours",
        recoveries.count
    );
    edits.extend(error_fields("sancho::Lost", &message, Some(record), now));
    (edited(&claimed.payload, &edits), timed(TimedSet::Dead, now))
}

/// The fields of a failure, in the order in which Sidekiq writes them.
fn error_fields(class: &str, message: &str, record: Option<&Record>, now: Timestamp) -> Vec<Edit> {
    let end = message
        .char_indices()
        .nth(MAX_ERROR_MESSAGE)
        .map_or(message.len(), |(end, _)| end);
    let mut edits = vec![
        Edit::string("error_message", &message[..end]),
        Edit::string("error_class", class),
    ];
    if record.is_none_or(|record| record.retry_count().is_none()) {
        edits.push(Edit::integer("failed_at", now.as_millis()));
    }
    edits
}

fn edited(payload: &Bytes, edits: &[Edit]) -> Bytes {
    splice(payload, edits).map_or_else(|| payload.clone(), Bytes::from)
}

fn head(claimed: &Claimed) -> Place {
    Place::Queue {
        name: claimed.queue.clone(),
        end: End::Head,
    }
}

fn timed(set: TimedSet, at: Timestamp) -> Place {
    Place::Timed { set, at }
}
