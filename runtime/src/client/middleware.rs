//! Client middleware: the user's code around every push.

use std::any::type_name;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::PushError;
use crate::job::chain::{self, Link, chain_functions};
use crate::job::payload::NewJob;

/// Wraps every push: it may change the job, add to it, or stop it. Runs once a push, of each job of a bulk too, and not again
/// when a scheduled job becomes due.
///
/// The push itself happens after the chain, as in Sidekiq: a middleware that returns a job without `next` skips those inside
/// of it, and its job is pushed. One that panics panics where the push is awaited, and nothing is pushed.
///
/// ```
/// use sancho::client::{ClientMiddleware, ClientNext, NewJob, Stop};
///
/// struct Tagged;
///
/// impl ClientMiddleware for Tagged {
///     async fn call(&self, mut job: NewJob, next: ClientNext<'_>) -> Result<NewJob, Stop> {
///         job.tags.push("web".into());
///         next.run(job).await
///     }
/// }
/// ```
pub trait ClientMiddleware: Send + Sync + 'static {
    /// Returns the job that `next` made of this one, or [`Stop`].
    fn call(
        &self,
        job: NewJob,
        next: ClientNext<'_>,
    ) -> impl Future<Output = Result<NewJob, Stop>> + Send;
}

/// The rest of the chain.
#[derive(Debug)]
pub struct ClientNext<'a>(&'a [Link<dyn Erased>]);

/// A push that is not to happen. Any error becomes one with `?`.
#[derive(Debug)]
pub struct Stop {
    reason: String,
    by: &'static str,
}

impl Stop {
    /// Stops the push, for this reason.
    pub fn because(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            by: "",
        }
    }
}

impl<E: Error> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::because(error.to_string())
    }
}

impl ClientNext<'_> {
    /// Runs the rest of the chain.
    ///
    /// # Errors
    /// Where a later middleware stops the push.
    pub async fn run(self, job: NewJob) -> Result<NewJob, Stop> {
        match self.0.split_first() {
            None => Ok(job),
            Some((first, rest)) => first.middleware.call(job, ClientNext(rest)).await,
        }
    }
}

/// The middleware of a client, outermost first. What [`Config::middleware_chain`](super::Config::middleware_chain) gives; the
/// operations are those of Sidekiq's chain. The same type may stand there more than once.
#[derive(Clone, Debug, Default)]
pub struct ClientMiddlewareChain(chain::Chain<dyn Erased>);

impl ClientMiddlewareChain {
    chain_functions!(ClientMiddleware);

    pub(super) async fn run(&self, job: NewJob) -> Result<NewJob, PushError> {
        ClientNext(self.0.links())
            .run(job)
            .await
            .map_err(|Stop { reason, by }| PushError::Stopped {
                by: by.to_owned(),
                reason,
            })
    }
}

fn link<M: ClientMiddleware>(middleware: M) -> Link<dyn Erased> {
    Link::new::<M>(Arc::new(Named(middleware)))
}

/// The trait as an object.
trait Erased: fmt::Debug + Send + Sync {
    fn call<'a>(
        &'a self,
        job: NewJob,
        next: ClientNext<'a>,
    ) -> Pin<Box<dyn Future<Output = Result<NewJob, Stop>> + Send + 'a>>;
}

struct Named<M>(M);

impl<M: ClientMiddleware> Erased for Named<M> {
    fn call<'a>(
        &'a self,
        job: NewJob,
        next: ClientNext<'a>,
    ) -> Pin<Box<dyn Future<Output = Result<NewJob, Stop>> + Send + 'a>> {
        Box::pin(async move {
            // The innermost one to return a stop is the one that stopped it.
            self.0.call(job, next).await.map_err(|stop| {
                if stop.by.is_empty() {
                    Stop {
                        by: type_name::<M>(),
                        ..stop
                    }
                } else {
                    stop
                }
            })
        })
    }
}

impl<M> fmt::Debug for Named<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(type_name::<M>())
    }
}
