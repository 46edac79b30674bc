//! Server middleware: the user's code around every execution.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::job::payload::Record;
use crate::job::{Call, Context, Failure, Outcome, Run};

/// Wraps every execution: it may look, time, or end a job in another way.
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
    pub(super) class: &'a str,
    pub(super) record: &'a Record,
    pub(super) context: &'a Context,
}

impl Execution<'_> {
    /// The job's class; of an ActiveJob, the class that its wrapper wraps.
    #[must_use]
    pub fn class(&self) -> &str {
        self.class
    }

    /// The `args` of the payload: a JSON array. Those of an ActiveJob are as Rails wrote them.
    #[must_use]
    pub fn args(&self) -> &[u8] {
        self.record.args()
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

/// The rest of the chain, and the job at its end.
#[derive(Debug)]
pub struct Next<'a> {
    rest: &'a [Arc<dyn Erased>],
    execution: &'a Execution<'a>,
    run: Run,
    call: Call,
}

impl<'a> Next<'a> {
    pub(super) fn new(
        chain: &'a Chain,
        execution: &'a Execution<'a>,
        run: Run,
        call: Call,
    ) -> Self {
        Self {
            rest: &chain.0,
            execution,
            run,
            call,
        }
    }

    /// Runs the rest of the chain and the job.
    ///
    /// # Errors
    /// The job's failure, or that of a later middleware.
    pub async fn run(self) -> Result<Outcome, Failure> {
        match self.rest.split_first() {
            None => (self.run)(self.call).await,
            Some((first, rest)) => first.call(self.execution, Next { rest, ..self }).await,
        }
    }
}

/// The middleware of a server, outermost first.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain(Vec<Arc<dyn Erased>>);

impl Chain {
    pub(super) fn add(&mut self, middleware: impl Middleware) {
        self.0.push(Arc::new(Named(middleware)));
    }
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
