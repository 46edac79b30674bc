//! Enqueueing: from a typed call to a transaction.
//!
//! A push goes `perform_async` → client middleware → [`plan`] (one transaction, with what the layers add) → the [`lane`],
//! which gathers concurrent pushes into one round trip.

mod bulk;
mod class;
mod config;
mod connect;
pub(crate) mod default;
mod error;
mod lane;
mod middleware;
mod options;
mod plan;
mod push;
mod set;
pub(crate) mod stand_in;
pub(crate) mod typed;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use class::{ClassSet, DefaultClient, client};
pub use config::Config;
pub(crate) use config::named_store;
pub use connect::StoreUrl;
pub(crate) use connect::{GivenUrl, RedisParameter, probe};
pub use default::init;
pub use error::{BulkError, InlineError, PushError};
pub use middleware::{ClientMiddleware, ClientMiddlewareChain, ClientNext, Stop};
#[doc(hidden)]
pub use options::{SetOptions, TypedSet};
pub(crate) use plan::of_definition;
pub use push::{BULK_SLICE, BULK_SLICE_BYTES, BulkEach, BulkPush, Inline, Push};
pub use set::Set;

pub use crate::job::payload::{FieldError, NewJob, Wire};

use crate::engine::MiddlewareChain;
use crate::job::{JobId, States, Timestamp};
use crate::layers::{self, Layer};
use crate::store::{Store, TestClock, Tx};
use lane::{Pusher, Reply};
use stand_in::{Sink, Submitted};

/// A connection to a store for pushing jobs. Cheap to clone; the clones share it.
///
/// Most programs need none of their own: `perform_async` uses the default client ([`init`]), and so does [`client()`].
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    road: Road,
    layers: Vec<Box<dyn Layer>>,
    wire: Wire,
    surroundings: Surroundings,
    clock: Option<TestClock>,
}

/// How transactions get to the store.
#[derive(Debug)]
enum Road {
    Lane(Pusher),
    /// In a test.
    Sink(Arc<dyn Sink>),
}

/// What a push or an inline run needs besides a store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    middleware: ClientMiddlewareChain,
    /// Around inline runs.
    server_middleware: MiddlewareChain,
    pub(crate) states: Arc<States>,
}

impl Client {
    /// Connects to the store that the configuration names, on the current runtime, which the client belongs to from then on.
    ///
    /// # Errors
    /// A store URL that cannot be used; a store that cannot be reached.
    pub async fn connect(config: Config) -> crate::Result<Self> {
        let store = connect::store(&config.store_url()?).await?;
        Ok(Self::over(store, &config))
    }

    /// A client over a store that is open already. Must be called on a tokio runtime.
    pub(crate) fn over(store: Arc<dyn Store>, config: &Config) -> Self {
        let road = Road::Lane(Pusher::start(store.clone(), config.push_timeout));
        Self::along(road, store, config, None)
    }

    /// The same, under a clock of a test.
    pub(crate) fn under(clock: TestClock, store: Arc<dyn Store>, config: &Config) -> Self {
        let road = Road::Lane(Pusher::start(store.clone(), config.push_timeout));
        Self::along(road, store, config, Some(clock))
    }

    /// A client of a test, whose pushes go to `sink`. It needs no runtime.
    pub(crate) fn into_sink(
        sink: Arc<dyn Sink>,
        store: Arc<dyn Store>,
        config: &Config,
        clock: TestClock,
    ) -> Self {
        Self::along(Road::Sink(sink), store, config, Some(clock))
    }

    fn along(road: Road, store: Arc<dyn Store>, config: &Config, clock: Option<TestClock>) -> Self {
        Self(Arc::new(Inner {
            store,
            road,
            layers: layers::standard(),
            wire: config.wire,
            surroundings: config.surroundings.clone(),
            clock,
        }))
    }

    /// The store behind it.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// The job after middleware, checked.
    async fn prepare(&self, job: NewJob) -> Result<NewJob, PushError> {
        self.0.surroundings.prepare(job, self.now()).await
    }

    /// The transaction that pushes a job now, for who commits it together with something else.
    pub(crate) async fn planned(
        &self,
        job: NewJob,
        now: Timestamp,
    ) -> Result<(JobId, Tx), PushError> {
        let job = self.prepare(job).await?;
        let tx = plan::transaction(std::slice::from_ref(&job), now, self.wire(), self.layers());
        Ok((job.jid, tx))
    }

    fn surroundings(&self) -> &Surroundings {
        &self.0.surroundings
    }

    async fn submit(&self, tx: Tx) -> Reply {
        match &self.0.road {
            Road::Lane(pusher) => pusher.submit(tx).await,
            Road::Sink(sink) => match sink.submit(tx).await {
                Submitted::Answered(result) => Reply::Answered(result),
                Submitted::Failed(failure) => Reply::Failed(Arc::new(failure)),
                Submitted::Unrunnable(reason) => Reply::Unrunnable(reason),
            },
        }
    }

    /// How many jobs of a bulk that tells what became of each share a transaction. In a test each runs by itself, and fails by itself.
    fn bulk_slice(&self) -> usize {
        match &self.0.road {
            Road::Lane(_) => BULK_SLICE,
            Road::Sink(_) => 1,
        }
    }

    /// How long a push may take.
    fn push_timeout(&self) -> Duration {
        match &self.0.road {
            Road::Lane(pusher) => pusher.timeout(),
            Road::Sink(_) => Duration::MAX,
        }
    }

    /// The time that its pushes are counted from: the host's, but in a test.
    pub(crate) fn now(&self) -> Timestamp {
        self.0
            .clock
            .as_ref()
            .map_or_else(Timestamp::from_wall_clock, |clock| clock())
    }

    /// The version of Sidekiq that it writes for.
    pub(crate) fn wire(&self) -> Wire {
        self.0.wire
    }

    fn layers(&self) -> &[Box<dyn Layer>] {
        &self.0.layers
    }
}

impl Surroundings {
    /// Takes over the middleware of `other`, and the states that it has and this has not.
    pub(crate) fn adopt(&mut self, other: &Self) {
        self.middleware = other.middleware.clone();
        self.server_middleware = other.server_middleware.clone();
        Arc::make_mut(&mut self.states).fill_from(&other.states);
    }

    async fn prepare(&self, job: NewJob, now: Timestamp) -> Result<NewJob, PushError> {
        let job = if self.middleware.is_empty() {
            job
        } else {
            let job = self.middleware.run(job).await?;
            plan::check_json(&job)?;
            job
        };
        plan::check(job, now)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("store", &self.0.store)
            .finish_non_exhaustive()
    }
}
