//! Server middleware: the user's code around every execution.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::job::chain::{self, Link, chain_functions};
use crate::job::payload::Record;
use crate::job::{Call, Context, Failure, Outcome, Run, args};

/// Wraps every execution: it may look, time, change the arguments, wrap errors, or end a job in another way.
///
/// A middleware that does not call `next` ends the job with what it returns: neither the middleware inside of it nor the
/// job runs. Its panics are failures of the job, and the job's `timeout` counts its time.
///
/// ```
/// use sancho::engine::{Execution, Middleware, Next};
/// use sancho::{Failure, Outcome};
///
/// struct Timed;
///
/// impl Middleware for Timed {
///     async fn call(&self, job: &Execution<'_>, next: Next<'_>) -> Result<Outcome, Failure> {
///         let start = std::time::Instant::now();
///         let result = next.run().await;
///         println!("{} took {:?}", job.class(), start.elapsed());
///         result
///     }
/// }
/// ```
pub trait Middleware: Send + Sync + 'static {
    /// Returns what `next` returned, or something else.
    fn call(
        &self,
        job: &Execution<'_>,
        next: Next<'_>,
    ) -> impl Future<Output = Result<Outcome, Failure>> + Send;
}

/// A job that is being executed.
#[derive(Clone, Copy, Debug)]
pub struct Execution<'a> {
    class: &'a str,
    args: &'a Bytes,
    record: &'a Record,
    context: &'a Context,
}

impl<'a> Execution<'a> {
    pub(crate) fn new(class: &'a str, record: &'a Record, context: &'a Context) -> Self {
        Self {
            class,
            args: record.args(),
            record,
            context,
        }
    }
}

impl Execution<'_> {
    /// The job's class; of an ActiveJob, the class that its wrapper wraps.
    #[must_use]
    pub fn class(&self) -> &str {
        self.class
    }

    /// The arguments, as the middleware around this one left them: a JSON array. Those of an ActiveJob are as Rails wrote them.
    #[must_use]
    pub fn args(&self) -> &[u8] {
        self.args
    }

    /// A field of the payload, such as one that client middleware has set with
    /// [`NewJob::set_field`](crate::client::NewJob::set_field); `None` where there is none.
    ///
    /// # Errors
    /// A value that is no `T`. Returned by the middleware, it is the job's failure.
    pub fn field<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Failure> {
        let Some(json) = self.record.field(name) else {
            return Ok(None);
        };
        match serde_json::from_str(json) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(Failure::other(
                "sancho::FieldError",
                format!("the field {name:?} of the payload cannot be read: {error}"),
            )),
        }
    }

    /// The whole payload: a JSON object.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.record.payload()
    }

    /// The job's id, queue, attempt and so on.
    #[must_use]
    pub fn context(&self) -> &Context {
        self.context
    }
}

/// The rest of the chain, and the job at its end. Both run once:
///
/// ```compile_fail,E0382
/// async fn twice(next: sancho::engine::Next<'_>) {
///     _ = next.run().await;
///     _ = next.run().await;
/// }
/// ```
#[derive(Debug)]
pub struct Next<'a> {
    rest: &'a [Link<dyn Erased>],
    execution: &'a Execution<'a>,
    run: Run,
    call: Call,
}

impl<'a> Next<'a> {
    pub(crate) fn new(
        chain: &'a MiddlewareChain,
        execution: &'a Execution<'a>,
        run: Run,
        call: Call,
    ) -> Self {
        Self {
            rest: chain.0.links(),
            execution,
            run,
            call,
        }
    }

    /// Gives the job, and the middleware inside of this one, other arguments: anything that is a JSON array, or `()`. They are
    /// those of this run alone; if it fails, the next one has those of the payload again, as in Sidekiq.
    ///
    /// # Errors
    /// Arguments that cannot be JSON, or that are no array.
    pub fn with_args(self, args: &impl Serialize) -> Result<Self, Failure> {
        let args = args::to_array(args).map_err(|error| Failure::undecodable(&error))?;
        Ok(Self {
            call: self.call.with_args(args.into()),
            ..self
        })
    }

    /// Runs the rest of the chain and the job.
    ///
    /// # Errors
    /// The job's failure, or that of a later middleware.
    ///
    /// # Cancel safety
    /// Dropped, the job is given up, and the middleware must say how the execution ended.
    pub async fn run(self) -> Result<Outcome, Failure> {
        let Some((first, rest)) = self.rest.split_first() else {
            return (self.run)(self.call).await;
        };
        let args = self.call.args_json().clone();
        let execution = Execution {
            args: &args,
            ..*self.execution
        };
        let next = Next {
            rest,
            execution: &execution,
            run: self.run,
            call: self.call,
        };
        first.middleware.call(&execution, next).await
    }
}

/// The middleware of a server, outermost first. What
/// [`ServerBuilder::middleware_chain`](super::ServerBuilder::middleware_chain) gives; the operations are those of
/// Sidekiq's chain. The same type may stand there more than once.
#[derive(Clone, Debug, Default)]
pub struct MiddlewareChain(chain::Chain<dyn Erased>);

impl MiddlewareChain {
    chain_functions!(Middleware);
}

fn link<M: Middleware>(middleware: M) -> Link<dyn Erased> {
    Link::new::<M>(Arc::new(Named(middleware)))
}

type Executed<'a> = Pin<Box<dyn Future<Output = Result<Outcome, Failure>> + Send + 'a>>;

/// The trait as an object.
trait Erased: fmt::Debug + Send + Sync {
    fn call<'a>(&'a self, job: &'a Execution<'a>, next: Next<'a>) -> Executed<'a>;
}

struct Named<M>(M);

impl<M: Middleware> Erased for Named<M> {
    fn call<'a>(&'a self, job: &'a Execution<'a>, next: Next<'a>) -> Executed<'a> {
        Box::pin(self.0.call(job, next))
    }
}

impl<M> fmt::Debug for Named<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::any::type_name::<M>())
    }
}
