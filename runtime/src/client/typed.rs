//! The one-call bodies of the functions that `#[job]` generates.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::options::{SetOptions, TypedSet};
use super::{BulkPush, Client, Inline, InlineError, Push, Set, default, plan};
use crate::job::{Call, Context, Job, JobId, Outcome, Spec, Timestamp};

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
    push_when::<S>(
        options,
        Some(Timestamp::from_wall_clock().after(delay)),
        &args,
    )
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
    let client = client(options);
    let options = options.cloned();
    let jid = options.as_ref().and_then(|options| options.jid.clone());
    let jobs = items
        .into_iter()
        .map(move |args| plan::job(S::DEFINITION, options.as_ref(), None, &args));
    BulkPush::new(default::or(client, JobId::random()), plan::bulk(jid, jobs))
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
        let job = surroundings.prepare(job).await.map_err(InlineError::Push)?;
        for state in S::DEFINITION.states {
            if !surroundings.states.contains((state.id)()) {
                return Err(InlineError::MissingState {
                    job: S::DEFINITION.name,
                    type_name: (state.type_name)(),
                });
            }
        }
        let context = Context::detached(job.jid, &job.queue, job.tags);
        run(
            S::DEFINITION.run,
            Call::new(Bytes::from(job.args), surroundings.states, context).of_version(job.version),
        )
        .await
    })
}

async fn run(run: crate::job::Run, call: Call) -> Result<Outcome, InlineError> {
    run(call).await.map_err(InlineError::Failed)
}

fn client(options: Option<&SetOptions>) -> Option<Client> {
    options.and_then(|options| options.client.clone())
}
