//! What takes the pushes of a test.

use std::sync::Arc;
use std::time::Duration;

use super::stage::{Kind, Stage, Which};
use super::{Clock, Enqueued, RunError};
use crate::api::Api;
use crate::client::stand_in::{self, Mode, StandIn as _, StandInGuard};
use crate::client::{Client, Config};
use crate::engine::{Middleware, ServerBuilder};
use crate::job::Job;
use crate::store::TimedSet;

/// Collects the pushes of this test, until the guard is dropped: those of the current tokio runtime, outside of one those of this
/// thread. Sidekiq's `Sidekiq::Testing.fake!`.
///
/// Client middleware and state of the default client ([`init`](crate::init()), before or after) are the fake's as well.
///
/// ```
/// use sancho::job;
/// use sancho::testing::{self, TestJobs as _};
///
/// #[job]
/// async fn thumbnail(photo: u64) {
///     if photo > 1 {
///         thumbnail::perform_async(photo / 2).await.unwrap();
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let _fake = testing::fake();
/// thumbnail::perform_async(8).await.unwrap();
/// assert_eq!(thumbnail::jobs()[0].args(), (8,));
/// assert_eq!(thumbnail::drain().await.unwrap(), 4);
/// # }
/// ```
pub fn fake() -> Fake {
    Fake::of(Kind::Fake)
}

/// Runs the jobs of this test at their push, until the guard is dropped, whatever their time: through JSON, client middleware and
/// the middleware and state of the guard. A job that fails is an error of its push, [`PushError::Failed`](crate::PushError::Failed).
/// Sidekiq's `Sidekiq::Testing.inline!`.
///
/// A bulk is stored in slices of 1,000 and then run; at the first failure its slice is given up.
///
/// ```
/// use sancho::{PushError, job, testing};
///
/// #[job]
/// async fn charge(cents: u32) -> Result<(), String> {
///     if cents > 0 { Ok(()) } else { Err("nothing to charge".into()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let _inline = testing::inline();
/// charge::perform_async(100).await.unwrap();
/// let error = charge::perform_async(0).await.unwrap_err();
/// assert!(matches!(error, PushError::Failed { .. }), "{error}");
/// # }
/// ```
pub fn inline() -> Fake {
    Fake::of(Kind::Inline)
}

/// Lets this test push to the default client as in production, beside tests that have fakes, until the guard is dropped.
/// Sidekiq's `Sidekiq::Testing.disable!`.
pub fn disable() -> Disabled {
    Disabled {
        _guard: stand_in::ask_for(Mode::Real),
    }
}

/// What [`disable`] gives. Dropped, it ends.
#[derive(Debug)]
#[must_use = "it ends when it is dropped: keep it to the end of the test"]
pub struct Disabled {
    _guard: StandInGuard,
}

/// The pushes of a test: what [`fake`] and [`inline`] give. Dropped, it ends.
///
/// What it holds goes through the store in memory and the same ways as in production: a job that fails is in the retry set or the dead
/// set ([`retries`](Self::retries), [`dead`](Self::dead), [`api`](Self::api)), and its next try comes due by the [clock](Self::advance).
#[derive(Debug)]
#[must_use = "it ends when it is dropped: keep it to the end of the test"]
pub struct Fake {
    // First, so that no push finds a stage that is gone.
    _guard: StandInGuard,
    stage: Arc<Stage>,
}

/// What [`Fake::drain_to_end`] came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Settled {
    /// How many executions there were.
    pub ran: usize,
    /// Those that failed, in order: each is a [`RunError::Failed`].
    pub failures: Vec<RunError>,
}

impl Fake {
    fn of(kind: Kind) -> Self {
        let stage = Stage::new(|_, _| kind);
        Self {
            _guard: stand_in::ask_for(Mode::StandIn(stage.clone())),
            stage,
        }
    }

    /// Gives state to the jobs: what a `#[state] db: &T` parameter borrows.
    pub fn state<T: Send + Sync + 'static>(&self, value: T) -> &Self {
        self.state_arc(Arc::new(value))
    }

    /// Gives state that is an `Arc` already, for instance an `Arc<dyn Mailer>`.
    pub fn state_arc<T: ?Sized + Send + Sync + 'static>(&self, value: Arc<T>) -> &Self {
        self.stage
            .change(|config, server| (config.state_arc(value.clone()), server.state_arc(value)));
        self
    }

    /// Adds server middleware, inside of what was added before: that of the production server does not run unless it is added.
    /// Sidekiq's `Sidekiq::Testing.server_middleware`.
    pub fn middleware(&self, middleware: impl Middleware) -> &Self {
        self.server(|server| server.middleware(middleware))
    }

    /// Means this job where two of one class are linked into the tests.
    pub fn register<J: Job>(&self) -> &Self {
        self.server(ServerBuilder::register::<J>)
    }

    /// Changes anything else that jobs run with, such as `max_retries` or death handlers.
    ///
    /// ```
    /// # let fake = sancho::testing::fake();
    /// fake.server(|server| server.max_retries(3));
    /// ```
    pub fn server(&self, change: impl FnOnce(ServerBuilder) -> ServerBuilder) -> &Self {
        self.stage.change(|config, server| (config, change(server)));
        self
    }

    /// Takes over the client middleware and the state of a configuration, as [`init`](crate::init()) does in a test that has a fake.
    /// The store that it names is not looked at.
    pub fn configure(&self, config: &Config) -> &Self {
        stand_in::StandIn::configure(&*self.stage, config);
        self
    }

    /// A client that pushes into this fake, for code that is given one.
    #[must_use]
    pub fn client(&self) -> Client {
        self.stage.clone().client()
    }

    /// What operators see and do, over this fake.
    #[must_use]
    pub fn api(&self) -> Api {
        self.stage.api()
    }

    /// The clock of pushes, schedules and retries. It stands still unless it is moved, and began at the host's time.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.stage.clock()
    }

    /// Moves the clock on, so that jobs come due: the next drain runs them.
    pub fn advance(&self, by: Duration) -> &Self {
        self.clock().advance(by);
        self
    }

    /// All jobs that are enqueued or scheduled, in the order in which they were pushed. Sidekiq's `Sidekiq::Job.jobs`.
    #[must_use]
    pub fn jobs(&self) -> Vec<Enqueued> {
        self.stage.enqueued(Which::All)
    }

    /// Those of them that go to this queue. Sidekiq's `Sidekiq::Queues["mailers"]`.
    #[must_use]
    pub fn jobs_in(&self, queue: &str) -> Vec<Enqueued> {
        let mut jobs = self.jobs();
        jobs.retain(|job| job.queue() == queue);
        jobs
    }

    /// The jobs that failed and wait for another try, the next one first.
    #[must_use]
    pub fn retries(&self) -> Vec<Enqueued> {
        self.stage.in_set(TimedSet::Retry)
    }

    /// The jobs that were given up and are kept, the first one first.
    #[must_use]
    pub fn dead(&self) -> Vec<Enqueued> {
        self.stage.in_set(TimedSet::Dead)
    }

    /// Runs the jobs that are due, in the order in which they were pushed, and those that they enqueue, until there are none, and says
    /// how many ran. Sidekiq's `Sidekiq::Job.drain_all`, but that a job for later waits for the [clock](Self::advance).
    ///
    /// # Errors
    /// The first job that fails or cannot be run; those after it stay enqueued.
    ///
    /// # Panics
    /// Under a [server of a test](super::Server), which runs the jobs itself.
    ///
    /// # Cancel safety
    /// Dropped, the job that was running is gone from the fake.
    pub async fn drain_all(&self) -> Result<usize, RunError> {
        self.stage.drain(Which::All).await
    }

    /// Runs the first job that is due.
    ///
    /// # Errors
    /// Where it fails or cannot be run; where none is due.
    ///
    /// # Cancel safety
    /// As [`drain_all`](Self::drain_all).
    pub async fn perform_one(&self) -> Result<(), RunError> {
        self.stage.perform_one(Which::All).await
    }

    /// Runs everything to its end: scheduled jobs and retries too, moving the clock on to each. Jobs that fail are tried again, or end, as
    /// in production.
    ///
    /// # Errors
    /// A job that cannot be run; jobs without end. That a job fails is none: see [`Settled::failures`].
    ///
    /// # Cancel safety
    /// As [`drain_all`](Self::drain_all).
    pub async fn drain_to_end(&self) -> Result<Settled, RunError> {
        let (ran, failures) = self.stage.drain_to_end().await?;
        Ok(Settled { ran, failures })
    }

    /// Drops all jobs: enqueued, scheduled, waiting for another try, dead. Sidekiq's `Sidekiq::Job.clear_all`.
    pub fn clear_all(&self) {
        self.stage.clear(Which::All);
        self.stage.clear_ended();
    }
}
