//! The push and the run of a job as spans of OpenTelemetry.

use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::trace::{PARENT, STATE, pushed_in};
use crate::client::{ClientMiddleware, ClientNext, NewJob, Stop};
use crate::engine::{Execution, Middleware, Next};
use crate::job::{Failure, Outcome, TraceContext, one_line, short};

/// Makes the push and the run of a job spans of one trace, for a program whose `tracing` subscriber has the layer of
/// `tracing-opentelemetry`. Give it to the client and to the server, instead of [`Trace`](super::Trace), whose fields it writes and reads.
///
/// They follow OpenTelemetry's semantic conventions for messaging, with the names that its instrumentation of Ruby's Sidekiq has:
///
/// | span | kind | parent |
/// |---|---|---|
/// | `create QUEUE` | producer | what is current at the push |
/// | `process QUEUE` | consumer | the `create` of its job, which it is linked to as well; none where the job was pushed in no trace |
///
/// A push writes the context of its `create` as `traceparent` and `tracestate`, unless such a field is there already. Each try
/// of a job is a `process` of its own. One that fails, panics, runs too long or is stopped has the status of an error, with the
/// `error_class` as `error.type` where there is one.
///
/// Without that layer, or where it leaves spans of the target `sancho` out, nothing is written and the job runs as it would.
///
/// ```
/// use sancho::Config;
/// use sancho::middleware::OpenTelemetry;
///
/// let config = Config::new().middleware(OpenTelemetry);
/// let builder = sancho::runtime::Server::builder().middleware(OpenTelemetry);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenTelemetry;

/// What OpenTelemetry calls the system, for Ruby's Sidekiq too.
const SYSTEM: &str = "sidekiq";

impl ClientMiddleware for OpenTelemetry {
    async fn call(&self, mut job: NewJob, next: ClientNext<'_>) -> Result<NewJob, Stop> {
        if job.field(PARENT).is_some() {
            return next.run(job).await;
        }
        let queue = short(&job.queue);
        let span = tracing::info_span!(
            "create",
            otel.name = format!("create {queue}"),
            otel.kind = "producer",
            messaging.system = SYSTEM,
            messaging.operation.name = "create",
            messaging.operation.type = "create",
            messaging.destination.name = queue,
            messaging.message.id = short(job.jid.as_str()),
            messaging.sidekiq.job_class = short(&job.class),
        );
        let context = span.context().span().span_context().clone();
        if context.is_valid() {
            job.set_field(PARENT, written(&context))?;
            let state = context.trace_state().header();
            if !state.is_empty() {
                job.set_field(STATE, state)?;
            }
        }
        next.run(job).instrument(span).await
    }
}

impl Middleware for OpenTelemetry {
    async fn call(&self, job: &Execution<'_>, next: Next<'_>) -> Result<Outcome, Failure> {
        let queue = short(job.context().queue());
        let span = tracing::info_span!(
            "process",
            otel.name = format!("process {queue}"),
            otel.kind = "consumer",
            messaging.system = SYSTEM,
            messaging.operation.name = "process",
            messaging.operation.type = "process",
            messaging.destination.name = queue,
            messaging.message.id = short(job.context().jid().as_str()),
            messaging.sidekiq.job_class = short(job.class()),
            sancho.attempt = job.context().attempt(),
        );
        if let Some(parent) = pushed_in(job).and_then(|parent| remote(&parent)) {
            let context = Context::new().with_remote_span_context(parent.clone());
            // It fails only where there is no layer to hear of it.
            let _ = span.set_parent(context);
            span.add_link(parent);
        }
        let ended = Ended(Some(span.clone()));
        let result = next.run().instrument(span).await;
        ended.with(&result);
        result
    }
}

/// A run that comes to its end, or is dropped before: a panic, a timeout and a stop drop it.
struct Ended(Option<Span>);

impl Ended {
    fn with(mut self, result: &Result<Outcome, Failure>) {
        let Some(span) = self.0.take() else {
            return;
        };
        match result {
            Err(failure) => {
                span.set_attribute("error.type", failure.class.clone());
                span.set_status(Status::error(one_line(&failure.message).to_string()));
            }
            Ok(Outcome::Dead(reason)) => {
                span.set_status(Status::error(one_line(reason).to_string()));
            }
            Ok(Outcome::Retry(_)) => span.set_status(Status::error("it asked for another try")),
            Ok(_) => {}
        }
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        if let Some(span) = self.0.take() {
            let why = "it did not come to its end: it panicked, ran too long or was stopped";
            span.set_status(Status::error(why));
        }
    }
}

/// As `traceparent`.
fn written(context: &SpanContext) -> String {
    format!(
        "00-{}-{}-{:02x}",
        context.trace_id(),
        context.span_id(),
        context.trace_flags().to_u8()
    )
}

/// The context of a push elsewhere.
fn remote(parent: &TraceContext) -> Option<SpanContext> {
    let flags = if parent.is_sampled() {
        TraceFlags::SAMPLED
    } else {
        TraceFlags::default()
    };
    // One that is no list of entries is left out, as the W3C allows.
    let state = parent.state().and_then(|state| state.parse().ok());
    Some(SpanContext::new(
        TraceId::from_hex(&parent.trace_id()).ok()?,
        SpanId::from_hex(&parent.span_id()).ok()?,
        flags,
        true,
        state.unwrap_or(TraceState::NONE),
    ))
}
