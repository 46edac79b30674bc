//! Client middleware: the user's code around every push.

use std::any::type_name;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::PushError;
use crate::job::payload::NewJob;

/// Wraps every push: it may change the job, add to it, or stop it. Runs once a push, not again when a scheduled job
/// becomes due.
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
pub struct ClientNext<'a>(&'a [Arc<dyn Erased>]);

/// A push that is not to happen.
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

impl ClientNext<'_> {
    /// Runs the rest of the chain.
    ///
    /// # Errors
    /// Where a later middleware stops the push.
    pub async fn run(self, job: NewJob) -> Result<NewJob, Stop> {
        match self.0.split_first() {
            None => Ok(job),
            Some((first, rest)) => first.call(job, ClientNext(rest)).await,
        }
    }
}

/// The middleware of a client, outermost first.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain(Vec<Arc<dyn Erased>>);

impl Chain {
    pub(super) fn add(&mut self, middleware: impl ClientMiddleware) {
        self.0.push(Arc::new(Named(middleware)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) async fn run(&self, job: NewJob) -> Result<NewJob, PushError> {
        ClientNext(&self.0)
            .run(job)
            .await
            .map_err(|Stop { reason, by }| PushError::Stopped {
                by: by.to_owned(),
                reason,
            })
    }
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
