//! The one-call bodies of the functions that `#[job]` generates.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_core::Stream;

use super::bulk::{Iter, Map};
use super::options::{SetOptions, TypedSet};
use super::{
    BulkEach, BulkPush, Client, Inline, InlineError, Push, PushError, Set, Surroundings, default,
    plan, stand_in,
};
use crate::engine::{Execution, Next};
use crate::job::payload::{NewJob, Record, Wire};
use crate::job::{Call, Context, ContextParts, Definition, Job, JobId, Outcome, Spec, Timestamp};

/// `job::set()`.
pub fn set<J: Job<Typed: TypedSet>>() -> Set<J> {
    Set::new()
}

/// `perform_async` with the options of `set()`, or none.
pub fn push<S: Spec>(options: Option<&SetOptions>, args: S::Args) -> Push {
    push_when::<S>(options, None, &args)
}

/// `perform_in`.
pub fn push_in<S: Spec>(options: Option<&SetOptions>, delay: Duration, args: S::Args) -> Push {
    let now = stand_in::now(options.and_then(|options| options.client.as_ref()));
    push_when::<S>(options, Some(now.after(delay)), &args)
}

/// `perform_at`.
pub fn push_at<S: Spec>(options: Option<&SetOptions>, at: DateTime<Utc>, args: S::Args) -> Push {
    push_when::<S>(options, Some(at.into()), &args)
}

fn push_when<S: Spec>(options: Option<&SetOptions>, at: Option<Timestamp>, args: &S::Args) -> Push {
    let job = plan::job(S::DEFINITION, options, at, args);
    let client = client(options);
    Push::new(async move {
        let job = job?;
        Ok((default::or(client, job.jid.clone()).await?, job))
    })
}

/// `perform_bulk`.
pub fn push_bulk<S: Spec>(
    options: Option<&SetOptions>,
    items: impl IntoIterator<Item = S::Args, IntoIter: Send + 'static>,
) -> BulkPush {
    let mut job = bulk_job::<S>(options);
    let jobs = items.into_iter().map(move |args| job((None, args)));
    BulkPush::new(S::DEFINITION.class, bulk_client(options), Iter(jobs))
}

/// `perform_bulk_at`.
pub fn push_bulk_at<S: Spec>(
    options: Option<&SetOptions>,
    items: impl IntoIterator<Item = (DateTime<Utc>, S::Args), IntoIter: Send + 'static>,
) -> BulkPush {
    let mut job = bulk_job::<S>(options);
    let jobs = items
        .into_iter()
        .map(move |(at, args)| job((Some(at.into()), args)));
    BulkPush::new(S::DEFINITION.class, bulk_client(options), Iter(jobs))
}

/// `perform_bulk_each`.
pub fn push_bulk_each<S: Spec>(
    options: Option<&SetOptions>,
    items: impl IntoIterator<Item = S::Args, IntoIter: Send + 'static>,
) -> BulkEach {
    let mut job = bulk_job::<S>(options);
    let jobs = items.into_iter().map(move |args| job((None, args)));
    BulkEach::new(S::DEFINITION.class, bulk_client(options), jobs)
}

/// `perform_bulk_stream`.
pub fn push_bulk_stream<S: Spec>(
    options: Option<&SetOptions>,
    items: impl Stream<Item = S::Args> + Send + 'static,
) -> BulkPush {
    let mut job = bulk_job::<S>(options);
    let jobs = Map::new(items, move |args| job((None, args)));
    BulkPush::new(S::DEFINITION.class, bulk_client(options), jobs)
}

/// Makes a job of a bulk, of its time and its arguments.
fn bulk_job<S: Spec>(
    options: Option<&SetOptions>,
) -> impl FnMut((Option<Timestamp>, S::Args)) -> Result<NewJob, PushError> + Send + use<S> {
    let options = options.cloned();
    let jid = options.as_ref().and_then(|options| options.jid.clone());
    let mut job = plan::bulk(jid);
    move |(at, args)| job(plan::job(S::DEFINITION, options.as_ref(), at, &args))
}

fn bulk_client(
    options: Option<&SetOptions>,
) -> impl Future<Output = Result<Client, PushError>> + Send + use<> {
    default::or(client(options), JobId::random())
}

/// `perform_inline`.
pub fn inline<S: Spec>(options: Option<&SetOptions>, args: S::Args) -> Inline {
    let client = client(options);
    let job = plan::job(S::DEFINITION, options, None, &args);
    Inline::new(async move {
        let job = job.map_err(InlineError::Push)?;
        let surroundings = match client {
            Some(client) => client.surroundings().clone(),
            None => default::surroundings(),
        };
        let job = surroundings
            .prepare(job, Timestamp::from_wall_clock())
            .await
            .map_err(InlineError::Push)?;
        for state in S::DEFINITION.states {
            if !surroundings.states.contains((state.id)()) {
                return Err(InlineError::MissingState {
                    job: S::DEFINITION.name,
                    type_name: (state.type_name)(),
                });
            }
        }
        run(S::DEFINITION, job, surroundings).await
    })
}

/// Runs a job that was prepared, inside of the server middleware that surrounds it.
async fn run(
    definition: &'static Definition,
    job: NewJob,
    surroundings: Surroundings,
) -> Result<Outcome, InlineError> {
    let chain = surroundings.server_middleware;
    // What middleware sees of the job: the payload that would have been pushed.
    let record = if chain.is_empty() {
        None
    } else {
        let payload = job.payload(Timestamp::from_wall_clock(), Wire::default());
        let record = Record::parse(payload).map_err(|error| {
            InlineError::Push(PushError::invalid(&job.class, error.to_string()))
        })?;
        Some(record)
    };
    let context = Context::new(ContextParts::detached(job.jid, job.queue, job.tags));
    let args = Bytes::from(job.args);
    let call = Call::new(args, surroundings.states, context.clone()).of_version(job.version);
    let result = match &record {
        None => (definition.run)(call).await,
        Some(record) => {
            let execution = Execution::new(&job.class, record, &context);
            let next = Next::new(&chain, &execution, definition.run, call);
            next.run().await
        }
    };
    result.map_err(InlineError::Failed)
}

fn client(options: Option<&SetOptions>) -> Option<Client> {
    options.and_then(|options| options.client.clone())
}
