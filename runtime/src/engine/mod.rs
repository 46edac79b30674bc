//! The engine: what a worker process does, one file a duty.
//!
//! | duty | what it does |
//! |---|---|
//! | [`fetch`] | keeps the slots full: commits what ended and claims what is next, in one round trip |
//! | [`execute`] | runs one job, from its bytes to the transaction that settles it ([`finish`], [`failed`]) by Sidekiq's rules and the job's own ([`rules`]), and the handlers of those that failed ([`errors`]) or are given up ([`death`]) |
//! | [`limits`] | sees to executions that were given up: cancelled ([`cancel`]), too long, or of a lease that was lost |
//! | [`promote`] | moves due entries of the schedule and the retry set into their queues |
//! | [`cron`] | makes the ticks of the cron's entries |
//! | [`heartbeat`] | renews the lease and finds orphans; [`recover`] takes them over, and leaves the burial of those it does not know to others ([`mourn`]) |
//! | [`presence`] | shows this process and what it runs to others, and obeys what they tell it |
//! | [`hooks`] | calls the user's code at events of the server's life |
//! | [`observe`] | shows what was counted and whether the server is ready, to machines that ask |
//! | [`shutdown`] | says when to stop, and how long that may take |
//!
//! [`alone`] runs single jobs by the same ways, without the loops: for tests.
//!
//! Every duty is a loop of one shape: made with what it needs, `run` until it is told to stop, and one `step`.

pub(crate) mod alone;
mod builder;
mod cancel;
mod capsule;
mod checkpoints;
mod clock;
mod config;
pub(crate) mod cron;
mod dead_set;
mod death;
mod endings;
mod errors;
mod execute;
mod failed;
mod fetch;
mod finish;
mod heartbeat;
mod hooks;
mod insist;
mod limits;
mod metrics;
mod middleware;
mod mourn;
mod observe;
mod orders;
mod pace;
mod points;
mod presence;
mod promote;
mod pulse;
mod queues;
mod recover;
mod rules;
mod server;
mod session;
mod shutdown;
mod slots;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use builder::ServerBuilder;
pub(crate) use cancel::order;
pub(crate) use capsule::MOST_CONCURRENCY;
pub use capsule::{Capsule, CapsuleHandle};
pub(crate) use config::HOOK_TIMEOUT;
pub(crate) use dead_set::DeadSet;
pub use death::{Death, DeathHandler};
pub(crate) use death::{DeathHandlers, Dying};
pub use errors::{ErrorHandler, ExecutionError};
pub use hooks::{Event, HookResult};
pub use middleware::{Execution, Middleware, MiddlewareChain, Next};
pub use observe::NotReady;
pub use orders::Handle;
pub use points::Point;
pub(crate) use presence::{LABEL, cleanup};
pub(crate) use queues::MAX_WEIGHT;
pub use queues::{Mode, ServedQueue};
pub use server::Server;

use crate::job::{Registry, States};
use crate::layers::Layer;
use crate::store::{Interest, Store};
use capsule::CapsuleState;
use clock::Clock;
use config::EngineConfig;
use errors::ErrorHandlers;
use hooks::Hooks;
use insist::Away;
use observe::Observed;
use points::Points;
use session::Session;
use slots::Work;

/// What the duties share.
#[derive(Debug)]
struct Engine {
    config: EngineConfig,
    store: Arc<dyn Store>,
    away: Arc<Away>,
    session: Session,
    clock: Clock,
    registry: Registry,
    states: Arc<States>,
    middleware: MiddlewareChain,
    error_handlers: ErrorHandlers,
    death_handlers: DeathHandlers,
    hooks: Hooks,
    layers: Vec<Box<dyn Layer>>,
    points: Points,
    handle: Handle,
    /// The name of this process among others.
    identity: String,
    /// The tasks of the jobs that run.
    tasks: TaskTracker,
    /// Notified when there is an execution that [`limits`] has to see to.
    given_up: Notify,
    /// Cancelled when the process begins to stop; what jobs see as `stopping()`.
    stopping: CancellationToken,
}

impl Engine {
    /// What is counted of it.
    fn observed(&self) -> &Observed {
        self.handle.observed()
    }

    /// How many jobs run, those included that are stuck, and how many of them are.
    fn counts(&self) -> (usize, usize) {
        let capsules = self.handle.states().iter();
        let counts = capsules.map(|capsule| capsule.slots.counts());
        counts.fold((0, 0), |(busy, stuck), (more, more_stuck)| {
            (busy + more, stuck + more_stuck)
        })
    }

    /// How many may run at once.
    fn concurrency(&self) -> usize {
        let capsules = self.handle.states().iter();
        capsules.map(|capsule| capsule.shape().concurrency).sum()
    }

    /// The names of what is served.
    fn queues(&self) -> Vec<String> {
        let capsules = self.handle.states().iter();
        let queues = |capsule: &Arc<CapsuleState>| {
            let shape = capsule.shape();
            let names = shape.queues.iter().map(|queue| queue.name().to_owned());
            names.collect::<Vec<_>>()
        };
        capsules.flat_map(queues).collect()
    }

    /// What runs, the oldest first.
    fn work(&self) -> Vec<Work> {
        let capsules = self.handle.states().iter();
        let mut all: Vec<_> = capsules.flat_map(|capsule| capsule.slots.work()).collect();
        all.sort_by(|a, b| (a.since, &a.claim).cmp(&(b.since, &b.claim)));
        all
    }

    /// Says that the owner was evicted: every capsule gives up what it holds.
    fn evicted(&self) {
        self.observed().evicted.add(1);
        for capsule in self.handle.states() {
            capsule.evicted.notify_one();
        }
    }

    /// Waits for the store to have something new; where it cannot say, for a part of the time.
    async fn wait(&self, interest: &Interest, timeout: Duration) {
        if self.store.wait(interest, timeout).await.is_err() {
            tokio::time::sleep((timeout / 10).min(Duration::from_millis(500))).await;
        }
    }
}
