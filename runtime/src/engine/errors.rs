//! Error handlers: the user's code at every execution that failed.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::job::panic::Caught;
use crate::job::payload::Record;
use crate::job::{Failure, one_line, short};
use crate::store::Claimed;

/// Is told of every execution that failed: of an error, a panic, a timeout, a class that nobody here serves, arguments that are
/// not the job's, and of payloads that are no job. Sidekiq's error handlers: what reports to an error tracker. What a job
/// returned as its [`Outcome`](crate::Outcome) is no error; what is given up is told to [death handlers](super::DeathHandler).
///
/// Handlers run one after the other in the order in which they were added, before the end of the execution is committed: so at
/// least once. They take the time of the job's slot; one that takes longer than
/// [`hook_timeout`](super::ServerBuilder::hook_timeout) is given up. That, or its panic, is logged; the others run, and the
/// job ends as it would have.
///
/// ```
/// use sancho::engine::{ErrorHandler, ExecutionError};
/// use sancho::runtime::Server;
///
/// struct Tracker;
///
/// impl ErrorHandler for Tracker {
///     async fn call(&self, error: &ExecutionError<'_>) {
///         eprintln!("{} {}: {}", error.class(), error.jid(), error.failure());
///     }
/// }
///
/// let builder = Server::builder()
///     .on_error(Tracker)
///     .on_error(|error: &ExecutionError<'_>| eprintln!("{}", error.failure().message));
/// ```
pub trait ErrorHandler: Send + Sync + 'static {
    /// Is told of one.
    fn call(&self, error: &ExecutionError<'_>) -> impl Future<Output = ()> + Send;
}

impl<F: Fn(&ExecutionError<'_>) + Send + Sync + 'static> ErrorHandler for F {
    async fn call(&self, error: &ExecutionError<'_>) {
        self(error);
    }
}

/// An execution that failed.
#[derive(Clone, Copy, Debug)]
pub struct ExecutionError<'a> {
    pub(super) failure: &'a Failure,
    pub(super) class: &'a str,
    pub(super) claimed: &'a Claimed,
    pub(super) record: Option<&'a Record>,
}

impl ExecutionError<'_> {
    /// What went wrong: its kind, its text, and the job's own error.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        self.failure
    }

    /// The job's class; of an ActiveJob, the class that its wrapper wraps. Empty where there is none.
    #[must_use]
    pub fn class(&self) -> &str {
        self.class
    }

    /// The job's id; empty where there is none.
    #[must_use]
    pub fn jid(&self) -> &str {
        self.record.map_or("", |record| record.jid().as_str())
    }

    /// The queue it was taken from.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.claimed.queue
    }

    /// The payload as it was taken, without this error: a JSON object, or what came in the place of one.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.claimed.payload
    }
}

/// Error handlers, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct ErrorHandlers(Vec<Arc<dyn Erased>>);

impl ErrorHandlers {
    pub(super) fn add(&mut self, handler: impl ErrorHandler) {
        self.0.push(Arc::new(Named(handler)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells all of them, each for so long at most.
    pub(super) async fn tell(&self, error: &ExecutionError<'_>, limit: Duration) {
        for handler in &self.0 {
            let told = Caught::new(async {
                handler.call(error).await;
                Ok(())
            });
            let wrong = match timeout(limit, told).await {
                Ok(Ok(())) => continue,
                Ok(Err(panic)) => format!("broke down: {}", one_line(panic.message)),
                Err(_) => format!("took longer than {limit:?}, it is given up"),
            };
            let (jid, class) = (short(error.jid()), short(error.class()));
            tracing::error!(jid, class, ?handler, "an error handler {wrong}");
        }
    }
}

/// The trait as an object.
trait Erased: fmt::Debug + Send + Sync {
    fn call<'a>(
        &'a self,
        error: &'a ExecutionError<'a>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}

struct Named<H>(H);

impl<H: ErrorHandler> Erased for Named<H> {
    fn call<'a>(
        &'a self,
        error: &'a ExecutionError<'a>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(self.0.call(error))
    }
}

impl<H> fmt::Debug for Named<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::any::type_name::<H>())
    }
}
