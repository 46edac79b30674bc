//! The futures that pushes return.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;

use super::bulk::{self, Next, Outcomes};
use super::lane::{Reply, Unanswered};
use super::{BulkError, Client, InlineError, PushError, plan};
use crate::job::payload::NewJob;
use crate::job::{JobId, Outcome};
use crate::store::TxResult;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A push: enqueues its job when it is awaited, and gives the job's id.
///
/// A push that ended in [`PushError::Unknown`] can be awaited again, within 60 s: it asks the store what became of it,
/// and applies it if nothing did, never twice. Any other push gives its result once; awaiting it again panics, as
/// with every future.
///
/// # Cancel safety
/// A push that is dropped before it is done may or may not have happened.
#[must_use = "a job is enqueued when this is awaited"]
pub struct Push(State);

enum State {
    Running(Boxed<Pushed>),
    Unknown(Repeat),
    Finished,
}

struct Pushed {
    result: Result<JobId, PushError>,
    repeat: Option<Repeat>,
}

#[derive(Clone)]
struct Repeat {
    jid: JobId,
    unanswered: Unanswered,
    timeout: Duration,
}

impl Push {
    pub(super) fn new(
        work: impl Future<Output = Result<(Client, NewJob), PushError>> + Send + 'static,
    ) -> Self {
        Self(State::Running(Box::pin(async move {
            match work.await {
                Ok((client, job)) => push(&client, job).await,
                Err(error) => Pushed {
                    result: Err(error),
                    repeat: None,
                },
            }
        })))
    }
}

async fn push(client: &Client, job: NewJob) -> Pushed {
    let job = match client.prepare(job).await {
        Ok(job) => job,
        Err(error) => {
            return Pushed {
                result: Err(error),
                repeat: None,
            };
        }
    };
    let tx = plan::transaction(
        std::slice::from_ref(&job),
        client.now(),
        client.wire(),
        client.layers(),
    );
    let jid = job.jid;
    match client.submit(tx).await {
        Reply::Unanswered(unanswered) => {
            let repeat = Repeat {
                jid: jid.clone(),
                unanswered,
                timeout: client.push_timeout(),
            };
            Pushed {
                result: Err(PushError::Unknown { jid }),
                repeat: Some(repeat),
            }
        }
        reply => Pushed {
            result: result(reply, &jid, client.push_timeout()).map(|()| jid),
            repeat: None,
        },
    }
}

/// The result of everything but a lost answer.
pub(super) fn result(reply: Reply, jid: &JobId, timeout: Duration) -> Result<(), PushError> {
    match reply {
        Reply::Answered(TxResult::Applied) => Ok(()),
        Reply::Answered(TxResult::Failed { error }) => Err(PushError::Refused {
            jid: jid.clone(),
            reason: error,
        }),
        Reply::Answered(TxResult::Refused { by }) => Err(PushError::Refused {
            jid: jid.clone(),
            reason: format!("its condition {by} does not hold"),
        }),
        Reply::Unavailable(source) => Err(PushError::Unavailable {
            jid: jid.clone(),
            reason: match &source {
                Some(error) => format!("no answer within {timeout:?}: {error}"),
                None => format!("no answer within {timeout:?}"),
            },
            source: source.map(Into::into),
        }),
        Reply::Unanswered(_) => Err(PushError::Unknown { jid: jid.clone() }),
        Reply::Failed(failure) => Err(PushError::Failed {
            jid: jid.clone(),
            failure,
        }),
        Reply::Unrunnable(reason) => Err(PushError::Unavailable {
            jid: jid.clone(),
            reason,
            source: None,
        }),
    }
}

impl Repeat {
    async fn run(self) -> Pushed {
        let Self {
            jid,
            unanswered,
            timeout,
        } = &self;
        match unanswered.repeat(*timeout).await {
            Some(answer) => Pushed {
                result: result(Reply::Answered(answer), jid, *timeout).map(|()| jid.clone()),
                repeat: None,
            },
            None => Pushed {
                result: Err(PushError::Unknown { jid: jid.clone() }),
                repeat: Some(self),
            },
        }
    }
}

impl Future for Push {
    type Output = Result<JobId, PushError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let State::Unknown(repeat) = &self.0 {
            self.0 = State::Running(Box::pin(repeat.clone().run()));
        }
        let State::Running(work) = &mut self.0 else {
            panic!("a push was awaited again after it was done")
        };
        let Poll::Ready(Pushed { result, repeat }) = work.as_mut().poll(cx) else {
            return Poll::Pending;
        };
        self.0 = repeat.map_or(State::Finished, State::Unknown);
        Poll::Ready(result)
    }
}

/// A bulk push: enqueues its jobs, in slices of 1,000 (or of 64 MiB of arguments), when it is awaited, and gives their ids.
/// One without items is an error, [`PushError::EmptyBulk`], and pushes nothing; so is one whose iterator or stream turns out to give none.
///
/// The jobs are taken from their iterator or stream a slice at a time. Where a stream has nothing yet, the slice that was begun is sent
/// without waiting for more.
///
/// # Cancel safety
/// Slices that were sent before it is dropped stay; the one under way may or may not have happened.
#[must_use = "jobs are enqueued when this is awaited"]
pub struct BulkPush(Boxed<Result<Vec<JobId>, BulkError>>);

/// How many jobs of a bulk share a transaction.
pub const BULK_SLICE: usize = 1_000;

/// How many bytes of arguments share one: a slice ends with the job that exceeds them.
pub const BULK_SLICE_BYTES: usize = 64 << 20;

impl BulkPush {
    pub(super) fn new(
        class: impl Into<String>,
        client: impl Future<Output = Result<Client, PushError>> + Send + 'static,
        jobs: impl Stream<Item = Result<NewJob, PushError>> + Send + 'static,
    ) -> Self {
        let class = class.into();
        Self(Box::pin(async move {
            let mut bulk = Bulk {
                accepted: Vec::new(),
                seen: 0,
                ended: false,
            };
            let client = client
                .await
                .map_err(|source| bulk.stopped_at(0, Vec::new(), source))?;
            let mut jobs = pin!(jobs);
            while !bulk.ended {
                let slice = bulk.slice(&client, jobs.as_mut()).await?;
                if !slice.is_empty() {
                    bulk.send(&client, slice).await?;
                }
            }
            if bulk.seen == 0 {
                return Err(bulk.stopped_at(0, Vec::new(), PushError::EmptyBulk { class }));
            }
            Ok(bulk.accepted)
        }))
    }
}

struct Bulk {
    accepted: Vec<JobId>,
    seen: usize,
    /// Whether there are no more jobs.
    ended: bool,
}

impl Bulk {
    /// The next slice, all of it checked before any of it is sent.
    async fn slice(
        &mut self,
        client: &Client,
        mut jobs: Pin<&mut (impl Stream<Item = Result<NewJob, PushError>> + Send)>,
    ) -> Result<Vec<NewJob>, BulkError> {
        let (mut slice, mut bytes) = (Vec::new(), 0);
        while slice.len() < BULK_SLICE && bytes < BULK_SLICE_BYTES {
            let job = match bulk::next(jobs.as_mut(), slice.is_empty()).await {
                Next::Item(job) => job,
                Next::Later => break,
                Next::End => {
                    self.ended = true;
                    break;
                }
            };
            let prepared = match job {
                Ok(job) => client.prepare(job).await,
                Err(error) => Err(error),
            };
            let job = prepared
                .map_err(|source| self.stopped_at(self.seen + slice.len(), Vec::new(), source))?;
            bytes += job.args.len();
            slice.push(job);
        }
        Ok(slice)
    }

    async fn send(&mut self, client: &Client, slice: Vec<NewJob>) -> Result<(), BulkError> {
        let tx = plan::transaction(&slice, client.now(), client.wire(), client.layers());
        let ids = plan::ids(&slice);
        let reply = client.submit(tx).await;
        let unknown = if matches!(reply, Reply::Unanswered(_)) {
            ids.clone()
        } else {
            Vec::new()
        };
        match result(reply, &ids[0], client.push_timeout()) {
            Ok(()) => {
                self.seen += ids.len();
                self.accepted.extend(ids);
                Ok(())
            }
            Err(source) => Err(self.stopped_at(self.seen, unknown, source)),
        }
    }

    fn stopped_at(
        &mut self,
        failed_at: usize,
        unknown: Vec<JobId>,
        source: PushError,
    ) -> BulkError {
        BulkError {
            accepted: std::mem::take(&mut self.accepted),
            failed_at,
            unknown,
            source,
        }
    }
}

/// A bulk push that goes on after a job that cannot be pushed: gives an outcome for each job, in order, when it is awaited.
///
/// A job that is wrong, or that middleware stops, fails alone, as a `nil` among the ids of Sidekiq's `push_bulk`. Slices of 1,000
/// (or of 64 MiB of arguments) share a transaction, so what the store refuses it refuses for all jobs of a slice. After a slice that
/// had no answer, those that follow are not tried. A job that is [`PushError::Unknown`] was pushed or was not: there is nothing
/// to await again.
///
/// # Errors
/// No store to push to; no items at all ([`PushError::EmptyBulk`]). Nothing was pushed.
///
/// # Cancel safety
/// Slices that were sent before it is dropped stay; the one under way may or may not have happened.
#[must_use = "jobs are enqueued when this is awaited"]
pub struct BulkEach(Boxed<Result<Outcomes, PushError>>);

impl BulkEach {
    pub(super) fn new(
        class: impl Into<String>,
        client: impl Future<Output = Result<Client, PushError>> + Send + 'static,
        jobs: impl Iterator<Item = Result<NewJob, PushError>> + Send + 'static,
    ) -> Self {
        let class = class.into();
        Self(Box::pin(async move {
            let outcomes = bulk::each(&client.await?, jobs).await;
            if outcomes.is_empty() {
                return Err(PushError::EmptyBulk { class });
            }
            Ok(outcomes)
        }))
    }
}

/// A job that runs here and now when it is awaited, through JSON and client middleware as a push would, and then through the server
/// middleware and with the state of its client: what [`Config`](super::Config) was given, in a worker what the server has. As Sidekiq's
/// `perform_inline`, it is neither tried again nor given a time limit, and a panic is one where it is awaited.
#[must_use = "the job runs when this is awaited"]
pub struct Inline(Boxed<Result<Outcome, InlineError>>);

impl Inline {
    pub(super) fn new(
        work: impl Future<Output = Result<Outcome, InlineError>> + Send + 'static,
    ) -> Self {
        Self(Box::pin(work))
    }
}

macro_rules! boxed_future {
    ($name:ident, $output:ty) => {
        impl Future for $name {
            type Output = $output;

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<$output> {
                self.0.as_mut().poll(cx)
            }
        }
    };
}

boxed_future!(BulkPush, Result<Vec<JobId>, BulkError>);
boxed_future!(BulkEach, Result<Outcomes, PushError>);
boxed_future!(Inline, Result<Outcome, InlineError>);

macro_rules! opaque_debug {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}

opaque_debug!(Push BulkPush BulkEach Inline);
