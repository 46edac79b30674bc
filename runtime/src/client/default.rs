//! The default client: the one that `perform_async` uses.
//!
//! A client lives on the runtime that it was made on, so there is one for each runtime that pushes: in a program that is
//! one, in a test suite one for each test.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tokio::runtime::{Handle, Id};
use tokio::sync::OnceCell;

use super::{Client, Config, Surroundings};
use crate::{Error, Result};

static DEFAULT: LazyLock<Mutex<Default>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Default {
    config: Option<Config>,
    clients: HashMap<Id, Arc<OnceCell<Client>>>,
}

/// Configures the default client and connects it, so that a mistake shows at the start instead of at the first push.
/// Without it the default client is made from the environment ([`Config::new`]) at the first push.
///
/// # Errors
/// A store URL that cannot be used; a store that cannot be reached; a default client that is there already.
pub async fn init(config: Config) -> Result<()> {
    {
        let mut default = lock();
        if default.config.is_some() {
            return Err(Error::config(
                "the default client is there already: call `sancho::init` once, before the first push",
            ));
        }
        default.config = Some(config);
    }
    match client().await {
        Ok(_) => Ok(()),
        Err(error) => {
            lock().config = None;
            Err(error)
        }
    }
}

/// The default client of the current runtime.
pub(crate) async fn client() -> Result<Client> {
    let handle = Handle::try_current().map_err(|_| {
        Error::config("a job is pushed on a tokio runtime: await this inside of one")
    })?;
    let (cell, config) = {
        let mut default = lock();
        let config = default.config.get_or_insert_default().clone();
        (
            default.clients.entry(handle.id()).or_default().clone(),
            config,
        )
    };
    cell.get_or_try_init(|| Client::connect(config))
        .await
        .cloned()
}

/// Makes this the default client of the current runtime, unless there is one: what a server that starts does.
pub(crate) fn offer(client: &Client) {
    let Ok(handle) = Handle::try_current() else {
        return;
    };
    let _ = lock()
        .clients
        .entry(handle.id())
        .or_default()
        .set(client.clone());
}

/// What surrounds an inline run: the default client's, without connecting it.
pub(crate) fn surroundings() -> Surroundings {
    let default = lock();
    let current = Handle::try_current()
        .ok()
        .and_then(|handle| default.clients.get(&handle.id())?.get().cloned());
    match (current, &default.config) {
        (Some(client), _) => client.surroundings().clone(),
        (None, Some(config)) => config.surroundings.clone(),
        (None, None) => Surroundings::default(),
    }
}

/// Nothing that holds the lock can panic half-way, so a poisoned lock is as good as another.
fn lock() -> std::sync::MutexGuard<'static, Default> {
    DEFAULT.lock().unwrap_or_else(PoisonError::into_inner)
}
