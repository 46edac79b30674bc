//! Describing a server.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Server;
use super::capsule::{self, Capsule, CapsuleState};
use super::config::{DEFAULT_CONCURRENCY, EngineConfig};
use super::cron::{Declared, Plan, ScheduleFile};
use super::death::{DeathHandler, DeathHandlers};
use super::errors::{ErrorHandler, ErrorHandlers};
use super::hooks::{Event, HookResult, Hooks};
use super::middleware::{Middleware, MiddlewareChain};
use super::orders::Handle;
use super::points::{Point, Points};
use super::queues::ServedQueue;
use crate::client::{Client, ClientMiddlewareChain, Config, RedisParameter};
use crate::job::cron::CronEntry;
use crate::job::payload::Wire;
use crate::job::{Definition, Job, Registry, States};
use crate::store::TestClock;
use crate::{Error, Result};

/// Describes a [`Server`]; what is not said has the default that is named with each function.
#[derive(Clone)]
#[must_use = "a server is described in vain unless it is built and run"]
pub struct ServerBuilder {
    config: EngineConfig,
    /// What was said of capsules, the default one first.
    capsules: Vec<Capsule>,
    client: Option<Client>,
    client_config: Config,
    wire: Option<Wire>,
    middleware: MiddlewareChain,
    changes_pushes: bool,
    error_handlers: ErrorHandlers,
    death_handlers: DeathHandlers,
    hooks: Hooks,
    states: States,
    registered: Vec<&'static Definition>,
    only: bool,
    cron: Vec<CronEntry>,
    schedule_file: ScheduleFile,
    clock: Option<TestClock>,
    points: Points,
}

/// What was chosen, checked.
pub(super) struct Chosen {
    pub(super) config: EngineConfig,
    pub(super) client: Option<Client>,
    pub(super) client_config: Config,
    pub(super) middleware: MiddlewareChain,
    pub(super) error_handlers: ErrorHandlers,
    pub(super) death_handlers: DeathHandlers,
    pub(super) hooks: Hooks,
    pub(super) states: Arc<States>,
    pub(super) registry: Registry,
    pub(super) clock: Option<TestClock>,
    pub(super) points: Points,
}

impl ServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            config: EngineConfig::default(),
            capsules: vec![Capsule::named(capsule::DEFAULT)],
            client: None,
            client_config: Config::new(),
            wire: None,
            middleware: MiddlewareChain::default(),
            changes_pushes: false,
            error_handlers: ErrorHandlers::default(),
            death_handlers: DeathHandlers::default(),
            hooks: Hooks::default(),
            states: States::default(),
            registered: Vec::new(),
            only: false,
            cron: Vec::new(),
            schedule_file: ScheduleFile::Nowhere,
            clock: None,
            points: Points::default(),
        }
    }

    /// The store's URL, as [`Config::store`] takes it. Defaults to what the environment names, else `sqlite:sancho.db`.
    pub fn store(mut self, url: impl Into<String>) -> Self {
        self.client_config = self.client_config.store(url);
        self
    }

    /// Works on the store of this client, over its connection, instead of one of its own.
    pub fn client(mut self, client: &Client) -> Self {
        self.client = Some(client.clone());
        self
    }

    /// How many jobs run at once. Defaults to 10.
    pub fn concurrency(self, jobs: usize) -> Self {
        self.capsule(Capsule::named(capsule::DEFAULT).concurrency(jobs))
    }

    /// The queues to serve: names, or names with weights as in `("critical", 3)`. How it is chosen between them follows from the
    /// weights, as in Sidekiq ([`Mode`](super::Mode)): without any, a queue is taken from only while those before it are
    /// empty. Defaults to `default`.
    pub fn queues<T: Into<ServedQueue>>(self, queues: impl IntoIterator<Item = T>) -> Self {
        self.capsule(Capsule::named(capsule::DEFAULT).queues(queues))
    }

    /// Adds a capsule: slots of its own for queues of its own. What is said of one of the same name before still holds where this
    /// one says nothing.
    pub fn capsule(mut self, capsule: Capsule) -> Self {
        let mut known = self.capsules.iter_mut();
        match known.find(|known| known.name() == capsule.name()) {
            Some(known) => *known = capsule.or(known.clone()),
            None => self.capsules.push(capsule),
        }
        self
    }

    /// How long a stop waits for running jobs. Defaults to 25 s.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.config.shutdown_timeout = timeout;
        self
    }

    /// What others see this process called, beside its host and process id. Defaults to the program's name.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.config.tag = tag.into();
        self
    }

    /// By what else others may tell this process from its like, beside its tag. Defaults to nothing.
    pub fn labels<T: Into<String>>(mut self, labels: impl IntoIterator<Item = T>) -> Self {
        self.config.labels = labels.into_iter().map(Into::into).collect();
        self
    }

    /// How long the schedule and the retry set are left alone at most. A job that is due wakes the server anyway: this is for wake-ups
    /// that are lost. Defaults to 10 s; at least 100 ms.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.config.poll_interval = interval;
        self
    }

    /// How long a push of its jobs may take, as [`Config::push_timeout`] has it.
    pub fn push_timeout(mut self, timeout: Duration) -> Self {
        self.client_config = self.client_config.push_timeout(timeout);
        self
    }

    /// How long the store takes this process for alive after its last renewal; it renews at a third of it. Its jobs start
    /// elsewhere that long, and a third more, after it died. Defaults to 12 s; at least 300 ms.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.config.lease = lease;
        self
    }

    /// How often a job is tried again that says `retry = true`. Defaults to 25, which takes about 20 days. Sidekiq's
    /// `max_retries`.
    pub fn max_retries(mut self, times: u32) -> Self {
        self.config.max_retries = times;
        self
    }

    /// How many jobs the dead set keeps, and one more, as Sidekiq counts: with 10,000, the default, the newest 9,999 stay.
    /// At least 1, which keeps none.
    pub fn dead_max_jobs(mut self, jobs: u64) -> Self {
        self.config.dead_set.max_jobs = jobs;
        self
    }

    /// How long a job stays in the dead set. Defaults to 180 days. What is too old goes when another job dies. Sidekiq's
    /// `dead_timeout_in_seconds`.
    pub fn dead_timeout(mut self, timeout: Duration) -> Self {
        self.config.dead_set.timeout = timeout;
        self
    }

    /// The version of Sidekiq beside us, which decides how what is written looks: the times in payloads, and how this process
    /// shows itself. All versions are read. Defaults to what the [`client`](Self::client) writes for, which is 8 if nobody said
    /// otherwise.
    pub fn sidekiq_wire(mut self, wire: Wire) -> Self {
        self.wire = Some(wire);
        self.client_config = self.client_config.sidekiq_wire(wire);
        self
    }

    /// Gives shared state to the jobs: what a `#[state] db: &T` parameter borrows.
    pub fn state<T: Send + Sync + 'static>(self, value: T) -> Self {
        self.state_arc(Arc::new(value))
    }

    /// Gives shared state that is an `Arc` already, for instance an `Arc<dyn Mailer>`.
    pub fn state_arc<T: ?Sized + Send + Sync + 'static>(mut self, value: Arc<T>) -> Self {
        self.states.insert(value);
        self
    }

    /// Adds middleware, inside of what was added before.
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.middleware.add(middleware);
        self
    }

    /// Changes the order of the middleware, or takes some out.
    ///
    /// ```
    /// # use sancho::engine::{Execution, Middleware, Next};
    /// # use sancho::{Failure, Outcome};
    /// # struct Timed;
    /// # struct Audit;
    /// # impl Middleware for Timed {
    /// #     async fn call(&self, _: &Execution<'_>, next: Next<'_>) -> Result<Outcome, Failure> { next.run().await }
    /// # }
    /// # impl Middleware for Audit {
    /// #     async fn call(&self, _: &Execution<'_>, next: Next<'_>) -> Result<Outcome, Failure> { next.run().await }
    /// # }
    /// let builder = sancho::runtime::Server::builder().middleware(Timed).middleware_chain(|chain| {
    ///     chain.insert_after::<Timed>(Audit);
    /// });
    /// ```
    pub fn middleware_chain(mut self, change: impl FnOnce(&mut MiddlewareChain)) -> Self {
        change(&mut self.middleware);
        self
    }

    /// Changes the middleware around the pushes that go through this server's own client: those of its jobs, and of everything
    /// else in this program that uses the default client. The [`client`](Self::client) of somebody else has its own, so the
    /// two exclude each other.
    pub fn client_middleware_chain(
        mut self,
        change: impl FnOnce(&mut ClientMiddlewareChain),
    ) -> Self {
        self.client_config = self.client_config.middleware_chain(change);
        self.changes_pushes = true;
        self
    }

    /// Adds an error handler, which is told after those that were added before: an [`ErrorHandler`], or a closure that takes an
    /// [`&ExecutionError<'_>`](super::ExecutionError).
    pub fn on_error(mut self, handler: impl ErrorHandler) -> Self {
        self.error_handlers.add(handler);
        self
    }

    /// Calls an async function at every [`Event`] of this kind. Sidekiq's `config.on(:startup) { ... }`.
    ///
    /// ```
    /// use sancho::engine::Event;
    /// use sancho::runtime::Server;
    ///
    /// let builder = Server::builder()
    ///     .on(Event::Startup, || async { println!("here we go") })
    ///     .on(Event::Exit, || async { std::fs::remove_file("worker.pid") });
    /// ```
    pub fn on<F, R>(mut self, event: Event, hook: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output: HookResult> + Send + 'static,
    {
        self.hooks.add(event, hook);
        self
    }

    /// How long one hook or error handler may take. Defaults to 10 s.
    pub fn hook_timeout(mut self, timeout: Duration) -> Self {
        self.config.hook_timeout = timeout;
        self
    }

    /// Adds a death handler, which is told after those that were added before: a [`DeathHandler`], or a closure that takes a
    /// [`&Death<'_>`](super::Death).
    pub fn death_handler(mut self, handler: impl DeathHandler) -> Self {
        self.death_handlers.add(handler);
        self
    }

    /// Serves this job besides those that are registered by themselves: for linkers where that fails.
    pub fn register<J: Job>(mut self) -> Self {
        self.registered.push(J::DEFINITION);
        self
    }

    /// Serves this job, and no others but those named in the same way. For tests, where all jobs of all tests are linked
    /// into one program.
    pub fn only<J: Job>(mut self) -> Self {
        self.only = true;
        self.register::<J>()
    }

    /// Serves these jobs and no others.
    pub(crate) fn only_these(
        mut self,
        jobs: impl IntoIterator<Item = &'static Definition>,
    ) -> Self {
        self.only = true;
        self.registered = jobs.into_iter().collect();
        self
    }

    /// The jobs that were named.
    pub(crate) fn named(&self) -> &[&'static Definition] {
        &self.registered
    }

    /// Whether no others are served than those that were named.
    pub(crate) fn is_only(&self) -> bool {
        self.only
    }

    /// The state that the jobs are given.
    pub(crate) fn states(&self) -> &States {
        &self.states
    }

    /// The middleware around the jobs.
    pub(crate) fn middlewares(&self) -> &MiddlewareChain {
        &self.middleware
    }

    /// Takes over the state of `other` of types that there is none of.
    pub(crate) fn fill_states_from(mut self, other: &States) -> Self {
        self.states.fill_from(other);
        self
    }

    /// Enqueues a job by itself: see [`cron`](crate::cron). Repeat it for more. An entry of the same name in the schedule file
    /// takes its place, and it takes that of a job's attribute.
    pub fn cron(mut self, entry: CronEntry) -> Self {
        self.cron.push(entry);
        self
    }

    /// Enqueues jobs by themselves, as this file says: sidekiq-cron's `schedule.yml`, or the same in TOML. It is read by
    /// [`build`](Self::build). Entries that the file has no more are removed at the start, unless another process declares them. See also
    /// [`Handle::read_schedule`](super::Handle::read_schedule).
    pub fn schedule_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.schedule_file = ScheduleFile::At(path.into());
        self
    }

    /// Reads the schedule file that sidekiq-cron would read where nobody names one, if there is one: `config/schedule.yml`, or the
    /// same with `.yaml` or `.toml`.
    pub(crate) fn default_schedule_file(mut self) -> Self {
        if matches!(self.schedule_file, ScheduleFile::Nowhere) {
            self.schedule_file = ScheduleFile::Default;
        }
        self
    }

    /// Reads the time from `clock`, as the store of a test does.
    #[doc(hidden)]
    pub fn with_clock(mut self, clock: TestClock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Calls `hook` at each [`Point`], so that a crash test can end the process there.
    #[doc(hidden)]
    pub fn with_points(mut self, hook: impl Fn(Point) + Send + Sync + 'static) -> Self {
        self.points = Points(Some(Arc::new(hook)));
        self
    }

    /// What is said of a Redis beside its URL.
    pub(crate) fn redis_parameters(mut self, parameters: Vec<RedisParameter>) -> Self {
        self.client_config = self.client_config.redis_parameters(parameters);
        self
    }

    /// Whether somebody said where the jobs are.
    pub(crate) fn names_store(&self) -> bool {
        self.client.is_some() || self.client_config.names_store()
    }

    /// Checks everything that can be checked without the store.
    ///
    /// # Errors
    /// No job to serve; two jobs of one class; state that a job needs and that was not given; no queue; a number out of bounds;
    /// client middleware for a client that has its own; a schedule file or a time zone that cannot be used.
    pub fn build(self) -> Result<Server> {
        if self.changes_pushes && self.client.is_some() {
            return Err(Error::config(
                "the server was given a client, and middleware for one of its own: give the middleware to the client's `Config`",
            ));
        }
        let mut config = checked(self.config)?;
        let concurrency = self.capsules[0].said_concurrency();
        let concurrency = concurrency.unwrap_or(DEFAULT_CONCURRENCY);
        let capsules = self.capsules.into_iter();
        let capsules = capsules.map(|capsule| CapsuleState::new(capsule, concurrency));
        let capsules = capsules.collect::<Result<_>>()?;
        let of_client = || self.client.as_ref().map(Client::wire);
        config.wire = self.wire.or_else(of_client).unwrap_or_default();
        let linked = crate::__private::JOBS
            .iter()
            .copied()
            .filter(|_| !self.only);
        let registry = Registry::new(linked.chain(self.registered)).map_err(Error::jobs)?;
        registry.check(&self.states).map_err(Error::jobs)?;
        let declared = Declared::by_code(&registry, self.cron, &config.tag)?;
        let plan = Plan::new(registry.clone(), declared, self.schedule_file)?;
        let handle = Handle::new(capsules, plan);
        let states = Arc::new(self.states);
        Ok(Server {
            handle,
            chosen: Chosen {
                config,
                client: self.client,
                client_config: self
                    .client_config
                    .with_states(states.clone())
                    .with_server_middleware(self.middleware.clone()),
                middleware: self.middleware,
                error_handlers: self.error_handlers,
                death_handlers: self.death_handlers,
                hooks: self.hooks,
                states,
                registry,
                clock: self.clock,
                points: self.points,
            },
        })
    }
}

/// The shortest lease: a renewal takes a round trip, and three must fit.
const SHORTEST_LEASE: Duration = Duration::from_millis(300);

/// The longest lease and shutdown timeout: longer ones have no end that a clock can show.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The shortest time between two looks at the schedule.
const SHORTEST_POLL: Duration = Duration::from_millis(100);

fn checked(config: EngineConfig) -> Result<EngineConfig> {
    if config.lease < SHORTEST_LEASE {
        return Err(Error::config(format!(
            "the lease is {:?}: give at least {SHORTEST_LEASE:?}",
            config.lease
        )));
    }
    if [config.lease, config.shutdown_timeout, config.poll_interval]
        .iter()
        .any(|time| *time > LONGEST)
    {
        return Err(Error::config(format!(
            "the lease, the shutdown timeout and the poll interval are at most {} days",
            LONGEST.as_secs() / 86_400
        )));
    }
    if config.hook_timeout.is_zero() {
        return Err(Error::config(
            "the hook timeout is 0: give the time that a hook may take",
        ));
    }
    if config.dead_set.max_jobs == 0 {
        return Err(Error::config(
            "dead_max_jobs is 0: give one more than the dead set is to keep",
        ));
    }
    if config.poll_interval < SHORTEST_POLL {
        return Err(Error::config(format!(
            "the poll interval is {:?}: give at least {SHORTEST_POLL:?}",
            config.poll_interval
        )));
    }
    Ok(config)
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("config", &self.config)
            .field("capsules", &self.capsules)
            .finish_non_exhaustive()
    }
}

impl Default for ServerBuilder {
    fn default() -> Self {
        Self::new()
    }
}
