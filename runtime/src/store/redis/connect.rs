//! The connection: made, tracked, and made again.

use std::error::Error as StdError;
use std::fmt;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::{ClientLike, EventInterface, TrackingInterface};
use fred::types::client::Invalidation;
use fred::types::config::{
    ConnectionConfig, PerformanceConfig, ReconnectPolicy, Server, ServerConfig, UnresponsiveConfig,
};
use fred::types::{CustomCommand, RespVersion, Value};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::keys::Keys;
use super::scripts::Scripts;
use super::silence::Silence;
use super::url::Target;
use super::{Lists, RedisStore, Wake, precautions, tls, url};
use crate::job::Timestamp;
use crate::store::{InterestKind, TestClock};

/// A connection on which an answer takes longer is half open, and made again: at least this, and how often that is looked at.
const CONNECTION_PATIENCE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(1));

/// The shortest wait before another connection, and how much longer it may be by chance, in milliseconds.
const RECONNECT_WAIT: (u32, u32) = (100, 900);

/// The wait before tracking is asked for again, where the server refused it.
const TRACK_AGAIN: Duration = Duration::from_secs(1);

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
    /// A Redis at `redis://user:password@host:port/database`, `rediss://...`, `redis+unix:///path/to/socket`,
    /// `redis-sentinel://...` or `redis-cluster://...`. All forms and parameters are in [`guide::redis`](crate::guide::redis).
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: String::new(),
            clock: None,
        }
    }

    /// Begins every key with this, whatever the URL says. Sidekiq 7 and 8 know no prefix, so it excludes Ruby beside us. Defaults to
    /// none, but must have a hash tag (`{sancho}:`) in a Cluster.
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

/// The tasks of a connection, which end with it; the first of them is the connection itself.
#[derive(Debug)]
pub(super) struct Tasks(Vec<AbortHandle>);

impl Tasks {
    fn run(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.push(tokio::spawn(task).abort_handle());
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl RedisStore {
    /// Whether a URL can be read, and the files that it names. Nothing is connected.
    ///
    /// # Errors
    /// They cannot.
    pub fn check_url(url: &str) -> Result<(), ConnectError> {
        let read = |url| client(url::parse(url)?, "").map(drop);
        read(url).map_err(|reason| ConnectError {
            address: url::shown(url).into(),
            reason,
            source: None,
        })
    }

    /// Whether this is the scheme of a URL of a Redis.
    pub(crate) fn has_scheme(scheme: &str) -> bool {
        url::is_scheme(scheme)
    }

    /// The names of the parameters that a URL may have.
    #[cfg(test)]
    pub(crate) fn parameters() -> impl Iterator<Item = &'static str> {
        url::parameters()
    }

    /// A URL with a parameter that stands elsewhere, unless it says that itself.
    ///
    /// # Errors
    /// What is wrong, in words that follow the parameter's name.
    pub(crate) fn with_parameter(
        url: &str,
        name: &str,
        values: &[String],
    ) -> Result<String, String> {
        url::with(url, name, values)
    }

    /// A URL as it may be shown: without user, password, and what else may be secret in it. Any text can be given.
    #[must_use]
    pub fn shown_url(url: &str) -> String {
        url::shown(url)
    }

    /// Connects, within 3 s where the URL says nothing else. Later the connection is made again whenever it is lost.
    ///
    /// # Errors
    /// A URL that cannot be read; a server that is not there, refuses the password, or is older than Redis 6.2.
    pub async fn connect(options: RedisOptions) -> Result<Self, ConnectError> {
        let RedisOptions { url, prefix, clock } = options;
        let name: Box<str> = url::shown(&url).into();
        let failed = |reason: String, source: Option<Error>| ConnectError {
            address: name.clone(),
            reason,
            source: source.map(Into::into),
        };
        let read = || {
            let target = url::parse(&url)?;
            let (patience, absent) = (target.patience, absent(&target));
            client(target, &prefix)
                .map(|(client, keys)| (client, keys, patience.connection, absent))
        };
        let (client, keys, patience, absent) = read().map_err(|reason| failed(reason, None))?;
        let Begun {
            mut tasks,
            scripts,
            offset,
        } = match timeout(patience, begin(&client, &keys)).await {
            Ok(Ok(begun)) => begun,
            Ok(Err(Begin::Error(error))) => {
                let hint = hint(error.details()).unwrap_or(absent);
                let said = said(error.details());
                return Err(failed(format!("{said}: {hint}"), Some(error)));
            }
            Ok(Err(Begin::TooOld(version))) => {
                let (major, minor) = OLDEST;
                return Err(failed(
                    format!("it is version {version}: use {major}.{minor} or later"),
                    None,
                ));
            }
            Err(_) => {
                // It may still come to be connected, and would stay so.
                tokio::spawn(async move { client.quit().await });
                return Err(failed(
                    format!("it did not answer within {patience:?}: {absent}"),
                    None,
                ));
            }
        };
        let wake = Arc::new(Wake::new());
        // Subscribed here and not in the tasks, which begin some time later: an event that nobody hears is a push slept past.
        let named = client.invalidation_rx();
        let (lost, made) = (client.error_rx(), client.reconnect_rx());
        let lists = Arc::new(Lists::default());
        let hearing = Hearing {
            wake: wake.clone(),
            lists: lists.clone(),
            keys: keys.clone(),
        };
        tasks.run(hearing.invalidations(named));
        tasks.run(reconnections(client.clone(), lost, made, wake.clone()));
        Ok(Self {
            client,
            name,
            keys,
            scripts,
            silence: Silence::new(),
            wake,
            lists,
            clock,
            offset: AtomicI64::new(offset),
            _tasks: tasks,
        })
    }
}

/// A client that is not connected yet, and how its keys begin: as its options say, else as its URL does.
fn client(target: Target, prefix: &str) -> Result<(Client, Keys), String> {
    let Target {
        mut config,
        patience,
        ..
    } = target;
    let prefix = if prefix.is_empty() {
        &target.prefix
    } else {
        prefix
    };
    url::check_prefix(&config.server, prefix)?;
    if let Some((files, names)) = target.tls {
        config.tls = Some(tls::config(&files, names)?);
    }
    config.version = RespVersion::RESP3;
    config.fail_fast = true;
    let performance = PerformanceConfig {
        default_command_timeout: patience.command,
        ..Default::default()
    };
    // A command whose answer was lost is repeated by those who know its sequence number, and by nobody else.
    // So is one that a Cluster sends on to another node: fred asks for the slots first, and the repeat goes there.
    let connection = ConnectionConfig {
        max_command_attempts: 1,
        connection_timeout: patience.connection,
        internal_command_timeout: patience.connection,
        unresponsive: UnresponsiveConfig {
            max_timeout: Some(CONNECTION_PATIENCE.0.max(2 * patience.command)),
            interval: CONNECTION_PATIENCE.1,
        },
        ..Default::default()
    };
    // For ever (0). An exponential policy of fred's has no jitter once it is at its cap.
    let (wait, jitter) = RECONNECT_WAIT;
    let mut reconnect = ReconnectPolicy::new_constant(0, wait);
    reconnect.set_jitter(jitter);
    let client = Client::new(config, Some(performance), Some(connection), Some(reconnect));
    Ok((client, Keys(prefix.to_owned())))
}

const SENTINELS: &str =
    "check that the Sentinels run there and know a master by the sentinelServiceName";

/// What to do about a server that does not answer. One that does not speak TLS waits for the rest of what it takes for a command.
fn absent(target: &Target) -> &'static str {
    match (&target.config.server, &target.tls) {
        (ServerConfig::Sentinel { .. }, _) => SENTINELS,
        (_, Some(_)) => {
            "check that it is running there, and speaks TLS at this port: use redis:// if not"
        }
        _ => "check that it is running there, and the user and password",
    }
}

/// What an error says to people: of one of the system fred gives the `Debug`.
fn said(details: &str) -> &str {
    let quoted = |name| details.split_once(name)?.1.split_once('"');
    ["message: \"", "error: \""]
        .into_iter()
        .find_map(quoted)
        .map_or(details, |(text, _)| text)
        .trim_end_matches('.')
}

/// What to do about a connection that came to nothing, where the error says more than that nobody answers.
fn hint(error: &str) -> Option<&'static str> {
    let is = |what: &[&str]| what.iter().any(|what| error.contains(what));
    let hint = if is(&["UnknownIssuer"]) {
        "name the authority that signed its certificate with ca=FILE"
    } else if is(&["NotValidForName"]) {
        "its certificate is for another host: use the name that stands in it"
    } else if is(&["invalid peer certificate"]) {
        "renew the certificate of the server"
    } else if is(&[
        "CertificateRequired",
        "UnknownCA",
        "BadCertificate",
        "AccessDenied",
    ]) {
        "show a certificate that it accepts with cert=FILE&key=FILE"
    } else if is(&["InvalidContentType", "corrupt message"]) {
        "it does not speak TLS there: use redis://, or its port for TLS"
    } else if is(&["WRONGPASS", "NOAUTH", "AUTH"]) {
        "check the user and password"
    } else if is(&["sentinel"]) {
        SENTINELS
    } else {
        return None;
    };
    Some(hint)
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

/// A connection that can be used.
struct Begun {
    tasks: Tasks,
    scripts: Scripts,
    offset: i64,
}

async fn begin(client: &Client, keys: &Keys) -> Result<Begun, Begin> {
    let tasks = Tasks(vec![client.init().await?.abort_handle()]);
    let info = precautions::info(client, keys, "server").await?;
    let version = info
        .lines()
        .find_map(|line| line.strip_prefix("redis_version:"))
        .unwrap_or_default();
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < OLDEST {
        return Err(Begin::TooOld(version.to_owned()));
    }
    precautions::warn(client, keys).await?;
    track(client).await?;
    Ok(Begun {
        tasks,
        scripts: Scripts::load(client, keys).await?,
        offset: ahead(time(client, keys).await?),
    })
}

/// How far the server's clock is ahead of this host's, in microseconds.
pub(super) fn ahead(time: Timestamp) -> i64 {
    time.as_micros() - Timestamp::from_wall_clock().as_micros()
}

/// The server's time.
pub(super) async fn time(client: &Client, keys: &Keys) -> Result<Timestamp, Error> {
    let time = CustomCommand::new_static("TIME", keys.slot(), false);
    let (seconds, micros): (i64, i64) = client.custom(time, Vec::<Value>::new()).await?;
    Ok(Timestamp::from_micros(seconds * 1_000_000 + micros))
}

/// Asks the server to name keys that were read over this connection when they change.
async fn track(client: &Client) -> Result<(), Error> {
    client
        .start_tracking(Vec::<String>::new(), false, false, false, false)
        .await
}

/// Who hears which keys have changed.
struct Hearing {
    wake: Arc<Wake>,
    lists: Arc<Lists>,
    keys: Keys,
}

impl Hearing {
    /// Wakes those who wait for what the server names. fred does not hand on that everything is gone (`FLUSHALL`), which also
    /// ends the tracking of every key until the next claim or look at a list: what is pushed before that is found by the slow
    /// poll of who waits.
    async fn invalidations(self, mut named: Receiver<Invalidation>) {
        loop {
            match named.recv().await {
                Ok(Invalidation { keys: changed, .. }) => {
                    for key in changed {
                        self.wake_for(key.as_bytes());
                    }
                }
                // Some names were missed: anything may have changed.
                Err(RecvError::Lagged(_)) => wake_all(&self.wake),
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn wake_for(&self, key: &[u8]) {
        match self.keys.bare(key) {
            b"paused" => self.wake.changed(InterestKind::Queues),
            b"schedule" | b"retry" | b"dead" => self.wake.changed(InterestKind::Timed),
            queue if queue.starts_with(b"queue:") => self.wake.changed(InterestKind::Queues),
            _ if self.is_list(key) => self.wake.changed(InterestKind::Lists),
            _ => {}
        }
    }

    fn is_list(&self, key: &[u8]) -> bool {
        let lists = self.lists.lock();
        lists.unwrap_or_else(PoisonError::into_inner).contains(key)
    }
}

fn wake_all(wake: &Wake) {
    wake.changed(InterestKind::Queues);
    wake.changed(InterestKind::Timed);
    wake.changed(InterestKind::Lists);
}

/// Takes up what a lost connection leaves behind: the new one is not tracked, and what happened meanwhile was not seen.
async fn reconnections(
    client: Client,
    mut lost: Receiver<(Error, Option<Server>)>,
    mut made: Receiver<Server>,
    wake: Arc<Wake>,
) {
    let mut is_lost = false;
    loop {
        tokio::select! {
            biased;
            error = lost.recv() => match error {
                // Every attempt that fails is told as well. Who calls the store logs louder that it is away.
                Ok((error, _)) if !is_lost => {
                    is_lost = true;
                    tracing::debug!(%error, "the connection to Redis is lost, connecting again");
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            server = made.recv() => {
                if matches!(server, Err(RecvError::Closed)) {
                    return;
                }
                if std::mem::take(&mut is_lost) {
                    tracing::debug!("the connection to Redis is back");
                }
                track_again(&client).await;
                wake_all(&wake);
            }
        }
    }
}

async fn track_again(client: &Client) {
    let mut refused = false;
    while let Err(error) = track(client).await {
        if !std::mem::replace(&mut refused, true) {
            tracing::warn!(%error, "the connection to Redis is not tracked yet, slow polls find what is pushed: {error}");
        }
        sleep(TRACK_AGAIN).await;
    }
}
