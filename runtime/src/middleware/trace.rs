//! The trace of a push and of the run of its job.

use std::fmt;
use std::sync::Arc;

use tracing::Instrument as _;

use crate::client::{ClientMiddleware, ClientNext, NewJob, Stop};
use crate::engine::{Execution, Middleware, Next};
use crate::job::{Failure, Outcome, TraceContext, current, short};

/// Makes the run of a job a part of the trace that it was pushed in. Give it to the client and to the server.
///
/// A push carries the current [`TraceContext`] as `traceparent` and `tracestate` of the W3C, in fields of those names, as
/// OpenTelemetry does it for Sidekiq: so traces go on between Ruby and Rust. Current is what [`source`](Self::source) gives, else
/// what was set with [`current::scope`]. A field that is there already stays.
///
/// The run is a `tracing` span `job` with the fields `class`, `jid`, `trace_id`, `span_id` and `parent_id`; its
/// context is current inside of it, so that what the job pushes is of the same trace. A job that was pushed in no trace, or
/// whose `traceparent` is none, runs in none.
///
/// ```
/// use sancho::Config;
/// use sancho::middleware::{Trace, TraceContext};
///
/// fn of_request() -> Option<TraceContext> {
///     // What the web framework, or OpenTelemetry, takes for current.
///     TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None)
/// }
///
/// let config = Config::new().middleware(Trace::new().source(of_request));
/// let builder = sancho::runtime::Server::builder().middleware(Trace::new());
/// ```
#[derive(Clone, Default)]
pub struct Trace {
    source: Option<Arc<Source>>,
}

type Source = dyn Fn() -> Option<TraceContext> + Send + Sync;

pub(super) const PARENT: &str = "traceparent";
pub(super) const STATE: &str = "tracestate";

impl Trace {
    /// Carries what was set with [`current::scope`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks this function first, at every push, for the context that is current where the push is awaited.
    #[must_use]
    pub fn source(
        mut self,
        source: impl Fn() -> Option<TraceContext> + Send + Sync + 'static,
    ) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    fn current(&self) -> Option<TraceContext> {
        let asked = self.source.as_ref().and_then(|source| source());
        asked.or_else(|| current::get::<TraceContext>().map(Arc::unwrap_or_clone))
    }
}

impl ClientMiddleware for Trace {
    async fn call(&self, mut job: NewJob, next: ClientNext<'_>) -> Result<NewJob, Stop> {
        if job.field(PARENT).is_none()
            && let Some(context) = self.current()
        {
            job.set_field(PARENT, context.to_string())?;
            if let Some(state) = context.state() {
                job.set_field(STATE, state)?;
            }
        }
        next.run(job).await
    }
}

impl Middleware for Trace {
    async fn call(&self, job: &Execution<'_>, next: Next<'_>) -> Result<Outcome, Failure> {
        let Some(parent) = pushed_in(job) else {
            return next.run().await;
        };
        let context = parent.child();
        let span = tracing::info_span!(
            "job",
            class = short(job.class()),
            jid = short(job.context().jid().as_str()),
            trace_id = context.trace_id(),
            span_id = context.span_id(),
            parent_id = parent.span_id(),
        );
        current::scope(context, next.run()).instrument(span).await
    }
}

/// The span that a job was pushed in. What others wrote there is no reason to refuse a job.
pub(super) fn pushed_in(job: &Execution<'_>) -> Option<TraceContext> {
    let text = |name| job.field::<String>(name).ok().flatten();
    TraceContext::parse(&text(PARENT)?, text(STATE).as_deref())
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace")
    }
}
