//! A whole server in a test.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::stage::{Kind, Stage, answered};
use super::{Clock, Enqueued};
use crate::Result;
use crate::api::Api;
use crate::client::stand_in::{self, Mode, StandIn as _, StandInGuard};
use crate::client::{Client, Config, default};
use crate::engine::cron::in_test;
use crate::engine::{Handle, ServerBuilder};
use crate::store::{Census, Stat, TimedSet};

/// How long [`Server::until_idle`] waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// The lease: the clock of a test jumps, and the lease is not to run out.
const LEASE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How long it rests between two looks.
const REST: Duration = Duration::from_millis(1);

/// A server of a test, on a store in memory and under a clock that the test moves. The pushes of the current runtime go to it.
///
/// Unlike a [drain](super::Fake::drain_all), it runs jobs side by side, each on a task of its own, as production does.
///
/// ```
/// use std::time::Duration;
/// use sancho::{job, runtime, testing};
///
/// #[job]
/// async fn remind(user_id: i64) {
///     println!("reminded {user_id}");
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = testing::Server::start(runtime::Server::builder().only::<remind>())?;
/// remind::perform_in(Duration::from_secs(3_600), 42).await?;
/// server.until_idle().await;
/// assert_eq!(server.api().stats().await?.processed, 0);
///
/// server.advance(Duration::from_secs(3_600));
/// server.until_idle().await;
/// assert_eq!(server.api().stats().await?.processed, 1);
/// server.stop().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "it is killed when it is dropped: keep it to the end of the test, or `stop` it"]
pub struct Server {
    _guard: StandInGuard,
    stage: Arc<Stage>,
    handle: Handle,
    task: Option<JoinHandle<Result<()>>>,
}

impl Server {
    /// Starts it on the current runtime. Its store, clock and lease are those of the test; the rest is as described.
    ///
    /// # Errors
    /// Those of [`ServerBuilder::build`].
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(server: ServerBuilder) -> Result<Self> {
        let mut config = Config::new();
        config.adopt(&default::surroundings());
        config = config
            .fill_states_from(server.states())
            .with_server_middleware(server.middlewares().clone());
        let stage = Stage::new(|store, clock| {
            Kind::Served(Client::under(clock.source(), store.clone(), &config))
        });
        let server = server
            .client(&stage.clone().client())
            .with_clock(stage.clock().source())
            .lease(LEASE)
            .build()?;
        for tx in server.declarations(stage.clock().now()) {
            stage.commit(tx);
        }
        let handle = server.handle();
        Ok(Self {
            _guard: stand_in::ask_for(Mode::StandIn(stage.clone())),
            stage,
            handle,
            task: Some(tokio::spawn(server.run())),
        })
    }

    /// The client that pushes to it.
    #[must_use]
    pub fn client(&self) -> Client {
        self.stage.clone().client()
    }

    /// What operators see and do.
    #[must_use]
    pub fn api(&self) -> Api {
        self.stage.api()
    }

    /// What tells it to be quiet or to stop.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The clock, to be read: [`advance`](Self::advance) moves it and wakes the server.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.stage.clock()
    }

    /// Moves the clock on. What comes due by it is run at once, and so is what the cron enqueues; of its ticks that were jumped over, those
    /// that their entry makes up for ([`CatchUp`](crate::cron::CatchUp)).
    pub fn advance(&self, by: Duration) {
        self.clock().advance(by);
        self.stage.wake();
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

    /// Waits until nothing is enqueued, runs or is due; neither is a tick of the cron, unless the server is quiet and makes none.
    ///
    /// # Panics
    /// If that has not come about within 20 s, with what is still there; if the server ended with an error.
    #[track_caller]
    pub fn until_idle(&self) -> impl Future<Output = ()> + Send {
        let caller = std::panic::Location::caller();
        async move {
            let start = Instant::now();
            while !self.is_idle() {
                let ended = self.task.as_ref().is_none_or(JoinHandle::is_finished);
                assert!(
                    !ended,
                    "the server of the test at {caller} has ended, and is not idle"
                );
                assert!(
                    start.elapsed() < PATIENCE,
                    "the server of the test at {caller} was not idle within {PATIENCE:?}: {}",
                    self.busy_with()
                );
                tokio::time::sleep(REST).await;
            }
        }
    }

    /// The counts before and after the look at what is due are the same only if nothing moved meanwhile.
    fn is_idle(&self) -> bool {
        let before = self.counts();
        let Census {
            queues, claimed, ..
        } = &before.0;
        let is_due = [TimedSet::Schedule, TimedSet::Retry]
            .into_iter()
            .any(|set| {
                let due = answered(self.stage.store().due(set, self.clock().now(), 1));
                !due.entries.is_empty()
            });
        let enqueued: u64 = queues.iter().map(|queue| queue.size).sum();
        let is_due = is_due || self.is_tick_due();
        !is_due && *claimed == 0 && enqueued == 0 && self.counts() == before
    }

    /// Whether the cron is yet to enqueue something.
    fn is_tick_due(&self) -> bool {
        let (store, now) = (self.stage.store().as_ref(), self.clock().now());
        !self.handle.is_quiet() && answered(Box::pin(in_test::is_tick_due(store, now)))
    }

    fn counts(&self) -> (Census, u64) {
        let store = self.stage.store();
        let processed = answered(store.counter(Stat::Processed, None));
        (answered(store.census()), processed)
    }

    fn busy_with(&self) -> String {
        let Census {
            queues, claimed, ..
        } = self.counts().0;
        let queues = queues.iter().filter(|queue| queue.size > 0).map(|queue| {
            let (name, size) = (&queue.name, queue.size);
            format!(
                "{size} jobs stand in the queue {name:?} (does the server serve it, with `.queues([...])`?)"
            )
        });
        let mut all: Vec<_> = queues.collect();
        if claimed > 0 {
            all.push(format!("{claimed} jobs run"));
        }
        if self.is_tick_due() {
            all.push("a tick of the cron is due".to_owned());
        }
        if all.is_empty() {
            all.push("jobs keep coming due".to_owned());
        }
        all.join("; ")
    }

    /// Stops it in order: running jobs are waited for, up to its shutdown timeout.
    ///
    /// # Errors
    /// Those of [`runtime::Server::run_until`](crate::runtime::Server::run_until).
    ///
    /// # Panics
    /// If the server panicked.
    pub async fn stop(mut self) -> Result<()> {
        self.handle.stop();
        match self.task.take() {
            None => Ok(()),
            Some(task) => match task.await {
                Ok(result) => result,
                Err(error) => panic!("the server of the test did not end: {error}"),
            },
        }
    }
}

/// As if its process had died.
impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
