//! The server: the duties put together, started and stopped.

use std::fmt;
use std::future::{Future, pending, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{self, Context, Poll};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Engine;
use super::builder::{Chosen, ServerBuilder};
use super::cancel::Cancelling;
use super::capsule::CapsuleState;
use super::clock::Clock;
use super::cron::{self, Cron};
use super::fetch::Fetch;
use super::heartbeat::Heartbeat;
use super::hooks::{self, Event};
use super::limits::Limits;
use super::orders::Handle;
use super::points::Point;
use super::presence::{self, Presence};
use super::promote::Promote;
use super::recover::{self, Recover};
use super::session::Session;
use super::shutdown::{LEAVE_GRACE, Stop};
use crate::client::{Client, default, probe};
use crate::job::{Timestamp, panic};
use crate::store::Tx;
use crate::{Error, Result, layers};

/// A worker: fetches jobs and runs them, in any program that has a tokio runtime.
///
/// ```no_run
/// # async fn run() -> sancho::Result<()> {
/// use sancho::runtime::Server;
///
/// let server = Server::builder().queues(["critical", "default"]).concurrency(50).build()?;
/// server.run_until(async { _ = tokio::signal::ctrl_c().await }).await
/// # }
/// ```
pub struct Server {
    pub(super) chosen: Chosen,
    pub(super) handle: Handle,
}

impl Server {
    /// Begins to describe a server.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    /// What tells this server to be quiet or to stop while it runs.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Runs until `shutdown` completes, or it is told to stop ([`Handle::stop`], Sidekiq's Web UI); then stops: claims nothing more, tells running jobs
    /// ([`Context::stopping`](crate::Context::stopping)), waits for them up to the shutdown timeout, and hands what is
    /// unfinished back to the head of its queue. Returns within that timeout and 3 s.
    ///
    /// # Errors
    /// A store that cannot be used or reached at the start; once it runs, a store that goes away is waited for. A defect of ours
    /// that ends the server.
    ///
    /// # Cancel safety
    /// Dropped, it leaves its jobs to be taken over when its lease has run out, as if the process had died.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) -> Result<()> {
        self.run_and_leave(shutdown, || {}).await.map(|_| ())
    }

    /// As [`Server::run_until`]; calls `begun` when it begins to stop, and says how many jobs still hold a thread of the runtime
    /// in the end.
    pub(crate) async fn run_and_leave(
        self,
        shutdown: impl Future<Output = ()>,
        begun: impl FnOnce(),
    ) -> Result<usize> {
        panic::remember_places();
        let client = self.client().await?;
        let engine = Arc::new(self.engine(&client));
        engine.observed().attach(&engine);
        let mut shutdown = pin!(shutdown);
        let limit = engine.config.hook_timeout;
        let stopped_early = tokio::select! {
            biased;
            () = engine.hooks.fire(Event::Startup, limit, pending()) => false,
            () = &mut shutdown => true,
            () = engine.handle.stopped() => true,
        };
        let renewed = engine.session.start().await.map_err(|error| {
            Error::store(format!("{error}; check that it is running, or name another with --store, SANCHO_STORE or REDIS_URL"), error)
        })?;
        engine.clock.set(renewed.now);
        tracing::info!(
            jobs = engine.registry.jobs().len(),
            concurrency = engine.concurrency(),
            queues = engine.queues().join(","),
            "sancho serves {} jobs",
            engine.registry.jobs().len()
        );
        let cron = Cron::new(engine.clone(), client);
        let mut duties = Duties::start(&engine, cron);
        engine.handle.has_started();
        let in_order = tokio::select! {
            () = ready(()), if stopped_early => true,
            () = &mut shutdown, if !stopped_early => true,
            () = engine.handle.stopped() => true,
            () = duties.one_ended() => false,
        };
        begun();
        duties.stop(&engine).await;
        if in_order {
            Ok(engine.tasks.len())
        } else {
            Err(Error::broken())
        }
    }

    /// Runs until the process ends.
    ///
    /// # Errors
    /// Those of [`Server::run_until`].
    pub async fn run(self) -> Result<()> {
        self.run_until(pending()).await
    }

    /// Puts the cron that it declares into a store that has none, from `now` on.
    pub(crate) fn declarations(&self, now: Timestamp) -> Vec<Tx> {
        cron::in_test::declare(self.handle.plan(), now)
    }

    /// How many jobs it serves.
    pub(crate) fn jobs(&self) -> usize {
        self.chosen.registry.jobs().len()
    }

    /// What is shown of the store's name.
    pub(crate) fn store(&self) -> String {
        match &self.chosen.client {
            Some(_) => "of the program's client".into(),
            None => match self.chosen.client_config.store_url() {
                Ok(url) => url.to_string(),
                Err(error) => error.to_string(),
            },
        }
    }

    /// Whether the store answers, in words that follow its name. One that is not there is not made.
    pub(crate) async fn probe(&self) -> Result<&'static str> {
        match &self.chosen.client {
            Some(client) => match client.store().census().await {
                Ok(_) => Ok("answers"),
                Err(error) => Err(Error::store(error.to_string(), error)),
            },
            None => probe(&self.chosen.client_config.store_url()?).await,
        }
    }

    /// By how long after a stop began [`Server::run_until`] has returned.
    pub(crate) fn longest_stop(&self) -> Duration {
        self.chosen.config.shutdown_timeout + LEAVE_GRACE
    }

    /// Connects now instead of when it runs, and gives the client that it will use.
    pub(crate) async fn connect(&mut self) -> Result<Client> {
        let client = self.client().await?;
        self.chosen.client = Some(client.clone());
        Ok(client)
    }

    async fn client(&self) -> Result<Client> {
        let client = match &self.chosen.client {
            Some(client) => client.clone(),
            None => Client::connect(self.chosen.client_config.clone()).await?,
        };
        default::offer(&client);
        Ok(client)
    }

    pub(super) fn engine(self, client: &Client) -> Engine {
        let Chosen {
            config,
            registry,
            middleware,
            error_handlers,
            death_handlers,
            hooks,
            clock,
            points,
            states,
            ..
        } = self.chosen;
        let (store, away) = (client.store().clone(), self.handle.away().clone());
        Engine {
            session: Session::new(store.clone(), away.clone(), config.lease),
            config,
            store,
            away,
            clock: Clock::new(clock),
            registry,
            states,
            middleware,
            error_handlers,
            death_handlers,
            hooks,
            layers: layers::standard(),
            points,
            handle: self.handle,
            tasks: TaskTracker::new(),
            identity: presence::identity(),
            given_up: Notify::new(),
            stopping: CancellationToken::new(),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("config", &self.chosen.config)
            .finish_non_exhaustive()
    }
}

/// The tasks of a server. Dropping them ends them.
struct Duties {
    stop: Arc<Stop>,
    left: CancellationToken,
    /// One a capsule.
    fetches: Vec<Task>,
    others: Vec<Task>,
    /// The hooks of quiet and shutdown, where there are any. They end before the others.
    ends: Option<Task>,
}

impl Duties {
    fn start(engine: &Arc<Engine>, cron: Cron) -> Self {
        let stop = Arc::new(Stop::new(
            engine.stopping.clone(),
            engine.handle.hurried().clone(),
            engine.config.shutdown_timeout,
        ));
        let left = CancellationToken::new();
        let (orphans, waiting) = mpsc::channel(recover::MAX_WAITING);
        // A quiet server promotes nothing and makes no ticks, and is no broken one.
        let promote = Promote::new(engine.clone());
        let (quieted, begun) = (engine.handle.quieted().clone(), stop.begun.clone());
        let until_quiet = async move {
            tokio::join!(promote.run(quieted.clone()), cron.run(quieted));
            begun.cancelled().await;
        };
        let mut others = vec![
            Task::spawn(Heartbeat::new(engine.clone(), orphans).run(left.clone())),
            Task::spawn(Recover::new(engine.clone(), waiting).run(stop.begun.clone())),
            Task::spawn(until_quiet),
            Task::spawn(Presence::new(engine.clone()).run(left.clone())),
            Task::spawn(Cancelling::new(engine.clone()).run(left.clone())),
            Task::spawn(Limits::new(engine.clone()).run(left.clone())),
            Task::spawn(presence::answer_dumps(engine.clone(), left.clone())),
        ];
        let awaited = engine.hooks.awaited();
        if awaited.beats {
            others.push(Task::spawn(hooks::see_beats(engine.clone(), left.clone())));
        }
        let ends = awaited
            .end
            .then(|| Task::spawn(hooks::see_the_end(engine.clone(), stop.clone())));
        let capsules = engine.handle.states().iter();
        let fetch = |capsule: &Arc<CapsuleState>| Fetch::new(engine.clone(), capsule.clone());
        let fetches = capsules
            .map(|capsule| Task::spawn(fetch(capsule).run(stop.clone())))
            .collect();
        Self {
            stop,
            left,
            fetches,
            others,
            ends,
        }
    }

    /// Completes when a duty ends by itself, which only a defect can bring about. Going on without it, the process would hold
    /// its jobs and not run them.
    async fn one_ended(&mut self) {
        let mut tasks: Vec<_> = self.others.iter_mut().chain(&mut self.fetches).collect();
        std::future::poll_fn(|cx| {
            let ended = tasks.iter_mut().any(|task| task.poll_ended(cx).is_ready());
            if ended {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    async fn stop(mut self, engine: &Engine) {
        tracing::info!(
            "stopping: waiting up to {:?} for running jobs",
            engine.config.shutdown_timeout
        );
        self.stop.begin();
        engine.handle.begin_quiet();
        let gone_by = self.stop.deadline() + LEAVE_GRACE;
        let orderly = timeout_at(gone_by, async {
            for fetch in &mut self.fetches {
                fetch.ended().await;
            }
            if let Some(ends) = &mut self.ends {
                ends.ended().await;
            }
            engine.points.reach(Point::Stopping);
            self.left.cancel();
            for task in &mut self.others {
                task.ended().await;
            }
            engine.session.leave().await
        });
        match orderly.await {
            Ok(Ok(())) => tracing::info!("stopped"),
            Ok(Err(error)) => tracing::warn!(%error, "stopped, without telling the store: {error}"),
            Err(_) => tracing::warn!(
                "stopped before everything was handed back: what is left is recovered when the lease has run out"
            ),
        }
        hooks::exit(engine, gone_by).await;
    }
}

/// A task that ends when this is dropped.
struct Task {
    handle: JoinHandle<()>,
    ended: bool,
}

impl Task {
    fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            handle: tokio::spawn(work),
            ended: false,
        }
    }

    async fn ended(&mut self) {
        std::future::poll_fn(|cx| self.poll_ended(cx)).await;
    }

    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.ended {
            let result = task::ready!(Pin::new(&mut self.handle).poll(cx));
            self.ended = true;
            if let Err(error) = result {
                tracing::error!(%error, "a duty of the server broke down: {error}");
            }
        }
        Poll::Ready(())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}
