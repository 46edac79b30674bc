//! `tower` layers around executions.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use crate::engine::{Execution, Middleware, Next};
use crate::job::{Failure, Outcome};

/// A `tower` layer as middleware: timeouts, concurrency limits, tracing, or your own.
///
/// ```
/// use sancho::middleware::Tower;
/// use std::time::Duration;
///
/// let builder = sancho::runtime::Server::builder()
///     .middleware(Tower::new(&tower::limit::ConcurrencyLimitLayer::new(3)))
///     .middleware(Tower::new(&tower::timeout::TimeoutLayer::new(Duration::from_secs(30))));
/// ```
///
/// The service that the layer makes is made once and cloned for each job, as `tower` has it, so what it shares (permits, counters) is
/// shared by all jobs of the server. A job that waits for the service to be ready holds its slot. An error of the layer is the job's
/// failure; the job's own failure goes through as [`TowerError`], and a layer that hands it on changes nothing. Layers that need
/// `'static` requests (`tower`'s `Buffer`) or requests that can be cloned (its `Retry`) do not fit: a job that failed is
/// tried again from its queue.
pub struct Tower<S> {
    /// Services need not be `Sync`.
    service: Mutex<S>,
}

/// The request: an execution, and the rest of the chain.
#[derive(Debug)]
pub struct TowerCall<'a> {
    execution: &'a Execution<'a>,
    next: Next<'a>,
}

/// The innermost service: the rest of the chain, and the job.
#[derive(Clone, Copy, Debug)]
pub struct TowerJob(());

/// A job that failed, on its way through layers.
#[derive(Debug)]
pub struct TowerError(Failure);

impl<S> Tower<S> {
    /// What this layer makes of the job.
    pub fn new<L: Layer<TowerJob, Service = S>>(layer: &L) -> Self {
        Self {
            service: Mutex::new(layer.layer(TowerJob(()))),
        }
    }
}

impl<S> Middleware for Tower<S>
where
    S: Clone + Send + 'static,
    S: for<'a> Service<
            TowerCall<'a>,
            Response = Outcome,
            Error: Into<Box<dyn Error + Send + Sync>>,
            Future: Send,
        >,
{
    async fn call(&self, execution: &Execution<'_>, next: Next<'_>) -> Result<Outcome, Failure> {
        let mut service = {
            let service = self.service.lock();
            service.unwrap_or_else(PoisonError::into_inner).clone()
        };
        let call = TowerCall { execution, next };
        run(&mut service, call).await
    }
}

async fn run<'a, S>(service: &mut S, call: TowerCall<'a>) -> Result<Outcome, Failure>
where
    S: Service<TowerCall<'a>, Response = Outcome, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    poll_fn(|cx| service.poll_ready(cx))
        .await
        .map_err(|error| failure(error.into()))?;
    service
        .call(call)
        .await
        .map_err(|error| failure(error.into()))
}

/// The job's own failure, or that of a layer.
fn failure(error: Box<dyn Error + Send + Sync>) -> Failure {
    match error.downcast::<TowerError>() {
        Ok(failed) => failed.0,
        Err(error) => Failure::of_layer(error),
    }
}

impl TowerCall<'_> {
    /// The job that is executed.
    #[must_use]
    pub fn execution(&self) -> &Execution<'_> {
        self.execution
    }
}

impl<'a> Service<TowerCall<'a>> for TowerJob {
    type Response = Outcome;
    type Error = TowerError;
    type Future = Pin<Box<dyn Future<Output = Result<Outcome, TowerError>> + Send + 'a>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TowerError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: TowerCall<'a>) -> Self::Future {
        Box::pin(async { call.next.run().await.map_err(TowerError) })
    }
}

impl TowerError {
    /// What went wrong.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        &self.0
    }
}

impl fmt::Display for TowerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for TowerError {}

impl<S> fmt::Debug for Tower<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tower<{}>", std::any::type_name::<S>())
    }
}
