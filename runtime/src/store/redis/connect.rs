//! The connection: made, tracked, and made again.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::{ClientLike, EventInterface, TrackingInterface};
use fred::types::client::Invalidation;
use fred::types::config::{Config, ConnectionConfig, PerformanceConfig, ReconnectPolicy};
use fred::types::{InfoKind, RespVersion};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::keys::Keys;
use super::scripts::Scripts;
use super::{RedisStore, Wake};
use crate::store::{InterestKind, TestClock};

/// How long a first connection may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);

/// How long a command may take. Longer than any script of ours; a connection that is half open is found by it.
const COMMAND_PATIENCE: Duration = Duration::from_secs(5);

/// The waits between two connections, in milliseconds, doubled from the first to the last.
const RECONNECT_WAITS: (u32, u32) = (50, 2_000);

/// The oldest Redis: `RPOP` takes a count since then.
const OLDEST: (u32, u32) = (6, 2);

/// How a Redis is found.
#[derive(Clone)]
#[must_use = "options do nothing by themselves"]
pub struct RedisOptions {
    url: String,
    prefix: String,
    clock: Option<TestClock>,
}

impl RedisOptions {
    /// A Redis at `redis://user:password@host:port/database`, `rediss://...` or `redis+unix:///path/to/socket`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: String::new(),
            clock: None,
        }
    }

    /// Begins every key with this. Sidekiq 7 and 8 know no prefix, so it excludes Ruby beside us. Defaults to none.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Takes all time from this clock: for tests.
    pub fn with_clock(mut self, clock: TestClock) -> Self {
        self.clock = Some(clock);
        self
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// A Redis that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the Redis at {address} cannot be used: {reason}")]
pub struct ConnectError {
    address: Box<str>,
    reason: String,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The tasks of a connection, which end with it.
#[derive(Debug)]
pub(super) struct Tasks(Vec<JoinHandle<()>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl RedisStore {
    /// Connects, within 3 s. Later the connection is made again whenever it is lost.
    ///
    /// # Errors
    /// A URL that cannot be read; a server that is not there, refuses the password, or is older than Redis 6.2.
    pub async fn connect(options: RedisOptions) -> Result<Self, ConnectError> {
        let RedisOptions { url, prefix, clock } = options;
        let name = address(&url);
        let failed = |reason: String, source: Option<Error>| ConnectError {
            address: name.clone(),
            reason,
            source: source.map(Into::into),
        };
        let client = client(&url).map_err(|error| {
            failed(format!("its URL cannot be read: {}", error.details()), None)
        })?;
        let scripts = match timeout(CONNECT_PATIENCE, begin(&client)).await {
            Ok(Ok(scripts)) => scripts,
            Ok(Err(Begin::Error(error))) => {
                let hint = "check that it is running there, and the user and password";
                return Err(failed(format!("{}: {hint}", error.details()), Some(error)));
            }
            Ok(Err(Begin::TooOld(version))) => {
                return Err(failed(
                    format!(
                        "it is version {version}, and {}.{} is needed",
                        OLDEST.0, OLDEST.1
                    ),
                    None,
                ));
            }
            Err(_) => {
                return Err(failed(
                    format!(
                        "it did not answer within {CONNECT_PATIENCE:?}: check that it is running there"
                    ),
                    None,
                ));
            }
        };
        let (wake, keys) = (Arc::new(Wake::new()), Keys(prefix));
        let tasks = Tasks(vec![
            tokio::spawn(invalidations(client.clone(), wake.clone(), keys.clone())),
            tokio::spawn(reconnections(client.clone(), wake.clone())),
        ]);
        Ok(Self {
            client,
            name,
            keys,
            scripts,
            wake,
            clock,
            _tasks: tasks,
        })
    }
}

fn client(url: &str) -> Result<Client, Error> {
    let mut config = Config::from_url(url)?;
    config.version = RespVersion::RESP3;
    config.fail_fast = true;
    let performance = PerformanceConfig {
        default_command_timeout: COMMAND_PATIENCE,
        ..Default::default()
    };
    // A command whose answer was lost is repeated by those who know its sequence number, and by nobody else.
    let connection = ConnectionConfig {
        max_command_attempts: 1,
        connection_timeout: CONNECT_PATIENCE,
        ..Default::default()
    };
    let (first, last) = RECONNECT_WAITS;
    let reconnect = ReconnectPolicy::new_exponential(0, first, last, 2);
    Ok(Client::new(
        config,
        Some(performance),
        Some(connection),
        Some(reconnect),
    ))
}

enum Begin {
    Error(Error),
    TooOld(String),
}

impl From<Error> for Begin {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

async fn begin(client: &Client) -> Result<Scripts, Begin> {
    client.init().await?;
    let info: String = client.info(Some(InfoKind::Server)).await?;
    let version = info
        .lines()
        .find_map(|line| line.strip_prefix("redis_version:"))
        .unwrap_or_default();
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < OLDEST {
        return Err(Begin::TooOld(version.to_owned()));
    }
    track(client).await?;
    Ok(Scripts::load(client).await?)
}

/// Asks the server to name keys that were read over this connection when they change.
async fn track(client: &Client) -> Result<(), Error> {
    client
        .start_tracking(Vec::<String>::new(), false, false, false, false)
        .await
}

/// Wakes those who wait for what the server names.
async fn invalidations(client: Client, wake: Arc<Wake>, keys: Keys) {
    let mut named = client.invalidation_rx();
    loop {
        match named.recv().await {
            Ok(Invalidation { keys: changed, .. }) if !changed.is_empty() => {
                for key in changed {
                    wake_for(keys.bare(key.as_bytes()), &wake);
                }
            }
            // All keys are gone, or some names were missed: anything may have changed.
            Ok(_) | Err(RecvError::Lagged(_)) => wake_all(&wake),
            Err(RecvError::Closed) => return,
        }
    }
}

fn wake_for(key: &[u8], wake: &Wake) {
    match key {
        b"paused" => wake.changed(InterestKind::Queues),
        b"schedule" | b"retry" | b"dead" => wake.changed(InterestKind::Timed),
        key if key.starts_with(b"queue:") => wake.changed(InterestKind::Queues),
        _ => {}
    }
}

fn wake_all(wake: &Wake) {
    wake.changed(InterestKind::Queues);
    wake.changed(InterestKind::Timed);
}

/// A new connection is not tracked, and what happened meanwhile was not seen.
async fn reconnections(client: Client, wake: Arc<Wake>) {
    let mut made = client.reconnect_rx();
    loop {
        match made.recv().await {
            Ok(_) | Err(RecvError::Lagged(_)) => {
                if let Err(error) = track(&client).await {
                    tracing::warn!(%error, "the connection to Redis is not tracked: pushes are seen by slow polls");
                }
                wake_all(&wake);
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// The URL without user and password.
fn address(url: &str) -> Box<str> {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}").into(),
        _ => url.into(),
    }
}
