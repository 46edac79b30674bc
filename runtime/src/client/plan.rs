//! From a job and what its push says to a transaction.

use chrono::{DateTime, Utc};

use super::PushError;
use super::options::SetOptions;
use crate::job::payload::NewJob;
use crate::job::{Args, Definition, JobId, Timestamp, check_queue_name};
use crate::layers::Layer;
use crate::store::{Effect, End, Place, TimedSet, Tx};

/// The latest time that a job can be pushed for: the end of the year 9999, the last with four digits.
pub(super) const LATEST: Timestamp = Timestamp::from_millis(253_402_300_799_999);

/// What a typed push asks for, before middleware.
pub(super) fn job<A: Args>(
    definition: &Definition,
    options: Option<&SetOptions>,
    at: Option<Timestamp>,
    args: &A,
) -> Result<NewJob, PushError> {
    let args = args
        .encode(definition.args)
        .map_err(|error| PushError::invalid(definition.class, error.to_string()))?;
    let mut job = NewJob::new(definition.class, args);
    job.queue = definition.queue.into();
    job.retry = definition.retry;
    job.tags = definition.tags.iter().map(ToString::to_string).collect();
    job.at = at;
    if let Some(options) = options {
        apply(options, &mut job);
    }
    Ok(job)
}

fn apply(options: &SetOptions, job: &mut NewJob) {
    if let Some(queue) = &options.queue {
        job.queue = queue.as_str().into();
    }
    if let Some(retry) = options.retry {
        job.retry = retry;
    }
    if let Some(tags) = &options.tags {
        job.tags.clone_from(tags);
    }
    if let Some(jid) = &options.jid {
        job.jid = jid.clone();
    }
    if job.at.is_none() {
        let waited = options
            .wait
            .map(|wait| Timestamp::from_wall_clock().after(wait));
        job.at = options
            .wait_until
            .map(|at: DateTime<Utc>| at.into())
            .or(waited);
    }
}

/// Checks what middleware may have changed, and makes a time that has passed mean now.
pub(super) fn check(mut job: NewJob, now: Timestamp) -> Result<NewJob, PushError> {
    check_queue_name(&job.queue).map_err(|reason| PushError::invalid(&job.class, reason))?;
    if job.class.is_empty() {
        return Err(PushError::invalid(&job.class, "its class is empty"));
    }
    if job.jid.as_str().is_empty() {
        return Err(PushError::invalid(&job.class, "its id is empty"));
    }
    if job.at.is_some_and(|at| at > LATEST) {
        return Err(PushError::invalid(
            &job.class,
            "its time is after the year 9999",
        ));
    }
    job.at = job.at.filter(|at| *at > now);
    Ok(job)
}

/// The transaction that pushes these jobs, all or none.
pub(super) fn transaction(jobs: &[NewJob], now: Timestamp, layers: &[Box<dyn Layer>]) -> Tx {
    let mut tx = Tx::default();
    for job in jobs {
        let place = match job.at {
            None => Place::Queue {
                name: job.queue.clone(),
                end: End::Tail,
            },
            Some(at) => Place::Timed {
                set: TimedSet::Schedule,
                at,
            },
        };
        tx.then.push(Effect::Put(job.payload(now), place));
        for layer in layers {
            layer.enqueue(job, &mut tx);
        }
    }
    tx.put_in_order();
    tx
}

/// The ids of these jobs.
pub(super) fn ids(jobs: &[NewJob]) -> Vec<JobId> {
    jobs.iter().map(|job| job.jid.clone()).collect()
}
