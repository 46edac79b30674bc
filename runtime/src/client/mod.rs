//! Enqueueing: from a typed call to a transaction.
//!
//! A push goes `perform_async` → client middleware → [`plan`] (one transaction, with what the layers add) → the [`lane`],
//! which gathers concurrent pushes into one round trip.

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
pub(crate) mod typed;

use std::fmt;
use std::sync::Arc;

pub use class::{ClassSet, DefaultClient, client};
pub use config::Config;
pub(crate) use config::named_store;
pub use connect::StoreUrl;
pub use default::init;
pub use error::{BulkError, InlineError, PushError};
pub use middleware::{ClientMiddleware, ClientNext, Stop};
#[doc(hidden)]
pub use options::{SetOptions, TypedSet};
pub use push::{BULK_SLICE, BULK_SLICE_BYTES, BulkPush, Inline, Push};
pub use set::Set;

pub use crate::job::payload::{FieldError, NewJob, Wire};

use crate::job::{States, Timestamp};
use crate::layers::{self, Layer};
use crate::store::Store;
use lane::Pusher;
use middleware::Chain;

/// A connection to a store for pushing jobs. Cheap to clone; the clones share it.
///
/// Most programs need none of their own: `perform_async` uses the default client ([`init`]), and so does [`client()`].
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    pusher: Pusher,
    layers: Vec<Box<dyn Layer>>,
    wire: Wire,
    surroundings: Surroundings,
}

/// What a push or an inline run needs besides a store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    middleware: Chain,
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
        let pusher = Pusher::start(store.clone(), config.push_timeout);
        Self(Arc::new(Inner {
            store,
            pusher,
            layers: layers::standard(),
            wire: config.wire,
            surroundings: config.surroundings.clone(),
        }))
    }

    /// The store behind it.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// The job after middleware, checked.
    async fn prepare(&self, job: NewJob) -> Result<NewJob, PushError> {
        self.0.surroundings.prepare(job).await
    }

    fn surroundings(&self) -> &Surroundings {
        &self.0.surroundings
    }

    fn pusher(&self) -> &Pusher {
        &self.0.pusher
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
    async fn prepare(&self, job: NewJob) -> Result<NewJob, PushError> {
        let job = if self.middleware.is_empty() {
            job
        } else {
            let job = self.middleware.run(job).await?;
            plan::check_json(&job)?;
            job
        };
        plan::check(job, Timestamp::from_wall_clock())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("store", &self.0.store)
            .finish_non_exhaustive()
    }
}
