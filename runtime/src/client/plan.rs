//! From a job and what its push says to a transaction.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;

use super::options::SetOptions;
use super::{PushError, stand_in};
use crate::job::payload::{NewJob, Wire};
use crate::job::{Args, Definition, JobId, Timestamp, args, check_queue_name};
use crate::layers::Layer;
use crate::store::{Effect, End, Place, TimedSet, Tx};

/// The bounds of `retry_for`. Sidekiq takes a longer one for a point in time.
const RETRY_FOR: (Duration, Duration) =
    (Duration::from_secs(1), Duration::from_secs(1_000_000_000));

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
    let mut job = of_definition(definition, args);
    job.at = at;
    if let Some(options) = options {
        apply(options, &mut job);
    }
    Ok(job)
}

/// A job with the options that its attribute gives it.
pub(crate) fn of_definition(definition: &Definition, args: String) -> NewJob {
    let mut job = NewJob::new(definition.class, args);
    job.queue = definition.queue.into();
    job.retry = definition.retry;
    job.retry_for = definition.retry_for;
    job.retry_queue = definition.retry_queue.map(str::to_owned);
    job.dead = definition.dead;
    job.backtrace = definition.backtrace;
    job.version = definition.version;
    job.tags = definition.tags.iter().map(ToString::to_string).collect();
    job
}

/// What a push by class asks for, before middleware.
pub(super) fn job_of_class(
    template: &NewJob,
    options: &SetOptions,
    at: Option<Timestamp>,
    args: &impl Serialize,
) -> Result<NewJob, PushError> {
    let args = args::to_array(args)
        .map_err(|error| PushError::invalid(&template.class, error.to_string()))?;
    let mut job = template.clone();
    job.args = args;
    job.jid = JobId::random();
    job.at = at;
    apply(options, &mut job);
    Ok(job)
}

/// What the jobs of a bulk go through: an id that was asked for is for one job only.
pub(super) fn bulk(
    jid: Option<JobId>,
) -> impl FnMut(Result<NewJob, PushError>) -> Result<NewJob, PushError> {
    let mut is_first = true;
    move |job| match (job, &jid) {
        (Ok(job), Some(jid)) if !std::mem::take(&mut is_first) => Err(PushError::invalid(
            &job.class,
            format!("the id {jid} is for one job; leave `jid` out of a bulk"),
        )),
        (job, _) => job,
    }
}

fn apply(options: &SetOptions, job: &mut NewJob) {
    if let Some(queue) = &options.queue {
        job.queue = queue.as_str().into();
    }
    if let Some(retry) = options.retry {
        job.retry = retry;
    }
    job.retry_for = options.retry_for.or(job.retry_for);
    if let Some(queue) = &options.retry_queue {
        job.retry_queue = Some(queue.clone());
    }
    job.dead = options.dead.or(job.dead);
    job.backtrace = options.backtrace.or(job.backtrace);
    if let Some(tags) = &options.tags {
        job.tags.clone_from(tags);
    }
    if let Some(jid) = &options.jid {
        job.jid = jid.clone();
    }
    if job.at.is_none() {
        let waited = options
            .wait
            .map(|wait| stand_in::now(options.client.as_ref()).after(wait));
        job.at = options
            .wait_until
            .map(|at: DateTime<Utc>| at.into())
            .or(waited);
    }
    if let Some(interval) = options.spread {
        let from = job
            .at
            .unwrap_or_else(|| stand_in::now(options.client.as_ref()));
        job.at = Some(from.after(interval.mul_f64(fastrand::f64())));
    }
}

/// Checks what middleware may have changed, and makes a time that has passed mean now.
pub(super) fn check(mut job: NewJob, now: Timestamp) -> Result<NewJob, PushError> {
    match wrong(&job, now) {
        Some(reason) => Err(PushError::invalid(&job.class, reason)),
        None => {
            job.at = job.at.filter(|at| *at > now);
            Ok(job)
        }
    }
}

fn wrong(job: &NewJob, now: Timestamp) -> Option<String> {
    let queues = std::iter::once(&*job.queue).chain(job.retry_queue.as_deref());
    if let Some(reason) = queues.map(check_queue_name).find_map(Result::err) {
        return Some(reason);
    }
    if job.class.is_empty() {
        return Some("its class is empty".to_owned());
    }
    if job.jid.as_str().is_empty() {
        return Some("its id is empty".to_owned());
    }
    if job.version == 0 {
        return Some("its version is 0: versions are counted from 1".to_owned());
    }
    if job.at.is_some_and(|at| at.is_too_far(now)) {
        return Some("its time is more than 100 years from now: give an earlier one".to_owned());
    }
    let (shortest, longest) = RETRY_FOR;
    if let Some(window) = job.retry_for
        && !(shortest..=longest).contains(&window)
    {
        return Some(format!(
            "its `retry_for` is {window:?}: write a time from {shortest:?} to {longest:?} after the first failure"
        ));
    }
    args::check(&job.args).err()
}

/// Checks that the arguments of a job are JSON, where somebody else wrote them.
pub(super) fn check_json(job: &NewJob) -> Result<(), PushError> {
    match serde_json::from_str::<Vec<&RawValue>>(&job.args) {
        Ok(_) => Ok(()),
        Err(error) => Err(PushError::invalid(
            &job.class,
            format!("its arguments are not a JSON array: {error}"),
        )),
    }
}

/// The transaction that pushes these jobs, all or none.
pub(super) fn transaction(
    jobs: &[NewJob],
    now: Timestamp,
    wire: Wire,
    layers: &[Box<dyn Layer>],
) -> Tx {
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
        tx.then.push(Effect::Put(job.payload(now, wire), place));
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
