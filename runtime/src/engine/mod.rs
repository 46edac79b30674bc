//! The engine: what a worker process does, one file a duty.
//!
//! | duty | what it does |
//! |---|---|
//! | [`fetch`] | keeps the slots full: commits what ended and claims what is next, in one round trip |
//! | [`execute`] | runs one job, from its bytes to the transaction that settles it ([`finish`], [`failed`]) and the handlers of those that are given up ([`death`]) |
//! | [`promote`] | moves due entries of the schedule and the retry set into their queues |
//! | [`heartbeat`] | renews the lease and finds orphans; [`recover`] takes them over |
//! | [`presence`] | shows this process and what it runs to others, and obeys what they tell it |
//! | [`shutdown`] | says when to stop, and how long that may take |
//!
//! Every duty is a loop of one shape: made with what it needs, `run` until it is told to stop, and one `step`.

mod builder;
mod checkpoints;
mod clock;
mod config;
mod dead_set;
mod death;
mod endings;
mod execute;
mod failed;
mod fetch;
mod finish;
mod heartbeat;
mod insist;
mod metrics;
mod middleware;
mod orders;
mod pace;
mod points;
mod presence;
mod promote;
mod recover;
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
pub(crate) use dead_set::DeadSet;
pub use death::{Death, DeathHandler};
pub(crate) use death::{DeathHandlers, Dying};
pub use middleware::{Execution, Middleware, Next};
pub use orders::Handle;
pub use points::Point;
pub(crate) use presence::cleanup;
pub use server::Server;

use crate::job::{Registry, States};
use crate::layers::Layer;
use crate::store::{Interest, Store};
use clock::Clock;
use config::EngineConfig;
use endings::Endings;
use insist::Away;
use metrics::Metrics;
use middleware::Chain;
use points::Points;
use session::Session;
use slots::Slots;

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
    middleware: Chain,
    death_handlers: DeathHandlers,
    layers: Vec<Box<dyn Layer>>,
    endings: Endings,
    points: Points,
    slots: Slots,
    metrics: Metrics,
    handle: Handle,
    /// The tasks of the jobs that run.
    tasks: TaskTracker,
    /// Notified when the owner was evicted outside of a turn.
    evicted: Notify,
    /// Cancelled when the process begins to stop; what jobs see as `stopping()`.
    stopping: CancellationToken,
}

impl Engine {
    /// Waits for the store to have something new; where it cannot say, for a part of the time.
    async fn wait(&self, interest: &Interest, timeout: Duration) {
        if self.store.wait(interest, timeout).await.is_err() {
            tokio::time::sleep((timeout / 10).min(Duration::from_millis(500))).await;
        }
    }
}
