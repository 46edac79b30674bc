//! The default client: the one that `perform_async` uses.
//!
//! A client lives on the runtime that it was made on, so there is one for each runtime that pushes: in a program that is
//! one, in a test suite one for each test.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Handle, Id};
use tokio::sync::OnceCell;

use super::stand_in::{self, Way};
use super::{Client, Config, PushError, Surroundings};
use crate::job::JobId;
use crate::{Error, Result};

static DEFAULT: LazyLock<Mutex<Default>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Default {
    config: Option<Config>,
    /// How many connections are under way.
    connecting: usize,
    clients: HashMap<Id, Arc<OnceCell<Client>>>,
}

impl Default {
    /// The client of this runtime, if it is there.
    fn of(&self, runtime: &Handle) -> Option<Client> {
        self.clients.get(&runtime.id())?.get().cloned()
    }
}

/// Configures the default client and connects it, so that a mistake shows at the start instead of at the first push.
/// Without it the default client is made from the environment ([`Config::new`]) at the first push.
///
/// In a test that has a fake ([`testing`](crate::testing)) nothing is connected: the fake takes over the middleware and the state of
/// the configuration.
///
/// # Errors
/// A store URL that cannot be used; a store that cannot be reached; a default client that is there already, or that a push
/// is just connecting.
pub async fn init(config: Config) -> Result<()> {
    if let Some(stand_in) = stand_in::stand_in() {
        stand_in.configure(&config);
        return Ok(());
    }
    connect(Some(config)).await.map(|_| ())
}

/// This client, or the default one for the push of this job.
pub(super) async fn or(client: Option<Client>, jid: JobId) -> Result<Client, PushError> {
    match client {
        Some(client) => Ok(client),
        None => match stand_in::way() {
            Way::To(client) => Ok(client),
            Way::Nowhere => Err(PushError::Unavailable {
                jid,
                reason: stand_in::UNOWNED.to_owned(),
                source: None,
            }),
            Way::Default => connect(None).await.map_err(|error| PushError::Unavailable {
                jid,
                reason: error.to_string(),
                source: Some(Box::new(error)),
            }),
        },
    }
}

/// The default client of the current runtime, or what stands in for it.
pub(crate) async fn client() -> Result<Client> {
    match stand_in::way() {
        Way::To(client) => Ok(client),
        Way::Nowhere => Err(Error::config(stand_in::UNOWNED)),
        Way::Default => connect(None).await,
    }
}

/// The default client of the current runtime, connected with this configuration where it is given.
async fn connect(config: Option<Config>) -> Result<Client> {
    let handle = Handle::try_current().map_err(|_| {
        Error::config("a job is pushed on a tokio runtime: await this inside of one")
    })?;
    if config.is_none()
        && let Some(client) = lock(&DEFAULT).of(&handle)
    {
        return Ok(client);
    }
    let connecting = Connecting::begin(&DEFAULT, &handle, config)?;
    let client = connecting
        .cell
        .get_or_try_init(|| Client::connect(connecting.config.clone()))
        .await?;
    Ok(client.clone())
}

/// A connection of the default client that is being made, or is there already. When the last of them ends and no client is
/// there, the configuration goes as well, so that a start that failed or was given up can be tried with another one.
struct Connecting<'a> {
    default: &'a Mutex<Default>,
    cell: Arc<OnceCell<Client>>,
    config: Config,
}

impl<'a> Connecting<'a> {
    fn begin(default: &'a Mutex<Default>, handle: &Handle, config: Option<Config>) -> Result<Self> {
        let mut state = lock(default);
        if config.is_some() {
            if state.config.is_some() {
                return Err(Error::config(
                    "the default client is there already: call `sancho::init` once, before the first push",
                ));
            }
            state.config = config;
        }
        state.connecting += 1;
        let config = state.config.get_or_insert_default().clone();
        let cell = state.clients.entry(handle.id()).or_default().clone();
        drop(state);
        Ok(Self {
            default,
            cell,
            config,
        })
    }
}

impl Drop for Connecting<'_> {
    fn drop(&mut self) {
        let mut state = lock(self.default);
        state.connecting -= 1;
        if state.connecting == 0 && !state.clients.values().any(|cell| cell.initialized()) {
            state.config = None;
        }
    }
}

/// Makes this the default client of the current runtime, unless there is one: what a server that starts does.
pub(crate) fn offer(client: &Client) {
    let Ok(handle) = Handle::try_current() else {
        return;
    };
    let _ = lock(&DEFAULT)
        .clients
        .entry(handle.id())
        .or_default()
        .set(client.clone());
}

/// What surrounds an inline run: the default client's, without connecting it.
pub(crate) fn surroundings() -> Surroundings {
    if let Some(stand_in) = stand_in::stand_in() {
        return stand_in.client().surroundings().clone();
    }
    let default = lock(&DEFAULT);
    let current = Handle::try_current()
        .ok()
        .and_then(|handle| default.of(&handle));
    match (current, &default.config) {
        (Some(client), _) => client.surroundings().clone(),
        (None, Some(config)) => config.surroundings.clone(),
        (None, None) => Surroundings::default(),
    }
}

/// Nothing that holds the lock can panic half-way, so a poisoned lock is as good as another.
fn lock(default: &Mutex<Default>) -> MutexGuard<'_, Default> {
    default.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(default: &Mutex<Default>, config: Option<Config>) -> Result<Connecting<'_>> {
        Connecting::begin(default, &Handle::current(), config)
    }

    #[tokio::test]
    async fn a_first_push_that_failed_or_was_dropped_does_not_refuse_init() {
        let default = Mutex::default();
        let first_push = begin(&default, None).unwrap();
        let another = begin(&default, None).unwrap();
        drop(first_push);
        assert!(begin(&default, Some(Config::new())).is_err());
        drop(another);
        let init = begin(&default, Some(Config::new())).unwrap();
        assert!(begin(&default, Some(Config::new())).is_err());
        drop(init);
        assert!(begin(&default, Some(Config::new())).is_ok());
    }

    #[tokio::test]
    async fn a_client_that_is_there_keeps_its_configuration() {
        let default = Mutex::default();
        let init = begin(&default, Some(Config::new().store("memory:"))).unwrap();
        let client = Client::connect(init.config.clone()).await.unwrap();
        init.cell.set(client).unwrap();
        drop(init);
        assert!(begin(&default, Some(Config::new())).is_err());
        assert!(begin(&default, None).unwrap().cell.initialized());
    }
}
