//! Processes.

mod describe;

use std::time::Duration;

use bytes::Bytes;

use super::error::not_empty;
use super::{Acted, Api, ApiError};
use crate::engine::cleanup;
use crate::job::Timestamp;
use crate::store::{Effect, Fields, Key, Members, Tx, TxResult, keys};

/// A process that shows itself: one of ours, or one of Ruby's Sidekiq, 6.5, 7 or 8.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Process {
    /// Its name among others: host, process id, and 12 hex digits by chance.
    pub identity: String,
    /// Its host, or on Heroku its dyno.
    pub hostname: String,
    /// Its id on that host.
    pub pid: u64,
    /// What it was tagged with; empty where it was not.
    pub tag: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// The queues that it takes from.
    pub queues: Vec<String>,
    /// Their weights, by capsule; in strict order all are 0. Empty before Sidekiq 7.
    pub weights: Vec<Vec<(String, u64)>>,
    /// Its capsules; empty before Sidekiq 8.0.9.
    pub capsules: Vec<Capsule>,
    /// How many jobs it runs at once.
    pub concurrency: u64,
    /// The version of Sidekiq, or the one that it writes like; before 7.0.2 there is none.
    pub version: Option<String>,
    /// Whether it is a part of another program, which alone can stop it.
    pub embedded: bool,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it last said that it lives.
    pub beat: Option<Timestamp>,
    /// How many jobs it runs.
    pub busy: u64,
    /// How many of them were given up, since they ran too long or were cancelled, and do not stop: each has its slot and a spare one
    /// beside it. Ours alone tell.
    pub stuck: u64,
    /// Its memory, in KiB.
    pub rss_kb: u64,
    /// How long its last round trip to the store took, in microseconds.
    pub rtt_us: u64,
    /// Whether it takes no more jobs, since it was told so or since it stops: Sidekiq tells no difference.
    pub quiet: bool,
    /// Whether it is Sidekiq Enterprise's leader.
    pub leader: bool,
}

/// A group of queues with a concurrency of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capsule {
    /// Its name.
    pub name: String,
    /// How many of its jobs run at once.
    pub concurrency: u64,
    /// `strict`, `weighted` or `random`.
    pub mode: String,
    /// Its queues and their weights.
    pub weights: Vec<(String, u64)>,
}

/// What a process can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Take no more jobs, and go on with those that run. There is no way back.
    Quiet,
    /// Stop.
    Stop,
    /// Log what it is doing.
    Dump,
}

/// How long an order stands, as in Sidekiq.
const ORDER_TTL: Duration = Duration::from_secs(60);

impl Api {
    /// The processes that show themselves, by identity. Three round trips, the second as long as there are processes. One that died
    /// is shown until its description runs out, 60 s after its last beat.
    ///
    /// ```
    /// # use sancho::{Client, Config, api::Api};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let api = Api::new(&Client::connect(Config::new().store("memory:")).await?);
    /// for process in api.processes().await? {
    ///     println!("{} runs {} of {}", process.identity, process.busy, process.concurrency);
    ///     if !process.embedded {
    ///         api.quiet(&process.identity).await?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A store that gives no answer.
    pub async fn processes(&self) -> Result<Vec<Process>, ApiError> {
        let described = self.described().await?;
        let leader = self.leader().await?;
        let process = |(identity, fields): (String, Fields)| {
            let is_leader = leader.as_ref().is_some_and(|leader| *leader == identity);
            (!fields.is_empty()).then(|| Process {
                leader: is_leader,
                ..Process::read(&identity, &fields)
            })
        };
        Ok(described.into_iter().filter_map(process).collect())
    }

    /// The process of this identity, if it shows itself.
    ///
    /// # Errors
    /// An empty identity; a store that gives no answer.
    pub async fn process(&self, identity: &str) -> Result<Option<Process>, ApiError> {
        not_empty("the identity of a process", identity)?;
        let fields = self.fields_of(&[keys::process(identity)]).await?;
        let fields = fields.into_iter().next().unwrap_or_default();
        if fields.is_empty() {
            return Ok(None);
        }
        Ok(Some(Process {
            leader: self.leader().await?.as_deref() == Some(identity),
            ..Process::read(identity, &fields)
        }))
    }

    /// Tells a process to take no more jobs, and to go on with those that run. There is no way back. Ours obey within 2 s, Ruby's at
    /// their next beat: within 10 s.
    ///
    /// # Errors
    /// As [`signal`](Self::signal).
    pub async fn quiet(&self, identity: &str) -> Result<(), ApiError> {
        self.signal(identity, Signal::Quiet).await
    }

    /// Tells a process to stop.
    ///
    /// # Errors
    /// As [`signal`](Self::signal).
    pub async fn stop(&self, identity: &str) -> Result<(), ApiError> {
        self.signal(identity, Signal::Stop).await
    }

    /// Tells a process to log what it is doing.
    ///
    /// # Errors
    /// As [`signal`](Self::signal).
    pub async fn dump(&self, identity: &str) -> Result<(), ApiError> {
        self.signal(identity, Signal::Dump).await
    }

    /// Tells a process something. It stands for 60 s.
    ///
    /// # Errors
    /// An identity that no process has; an embedded process, which only its program can stop; a store that gives no answer, or
    /// refuses.
    pub async fn signal(&self, identity: &str, signal: Signal) -> Result<(), ApiError> {
        let process = self.process(identity).await?.ok_or_else(|| {
            ApiError::NotFound(format!(
                "no process {identity:?} shows itself: it has ended, or it never was"
            ))
        })?;
        if process.embedded {
            return Err(ApiError::invalid(format!(
                "the process {identity} is embedded in another program, which takes no orders: stop it there"
            )));
        }
        let order = Effect::Append {
            key: keys::signals(identity),
            item: Bytes::from_static(signal.name().as_bytes()),
            ttl: ORDER_TTL,
        };
        self.act(Tx::always(vec![order])).await.map(|_| ())
    }

    /// Takes processes that died without a word out of the set, and gives their identities. At most one of all processes and
    /// operators does it within a minute; the others get nothing.
    ///
    /// # Errors
    /// A store that gives no answer, or refuses.
    pub async fn clean_up_processes(&self) -> Result<Vec<String>, ApiError> {
        if self.act(cleanup::take_turn()).await? == Acted::Gone {
            return Ok(Vec::new());
        }
        let described = self.described().await?.into_iter();
        let gone: Vec<String> = described
            .filter(|(_, fields)| cleanup::is_gone(fields))
            .map(|(identity, _)| identity)
            .collect();
        if gone.is_empty() {
            return Ok(gone);
        }
        let txs = gone
            .iter()
            .map(|identity| cleanup::leave(identity))
            .collect();
        let results = super::change::Changes::new(self).commit(txs).await?;
        let left = gone.into_iter().zip(results);
        Ok(left
            .filter(|(_, result)| *result == TxResult::Applied)
            .map(|(identity, _)| identity)
            .collect())
    }

    /// The members of the set of processes and their hashes, which may have run out.
    pub(super) async fn described(&self) -> Result<Vec<(String, Fields)>, ApiError> {
        let identities = self.store().members(Members::Processes).await;
        let identities = identities.map_err(ApiError::unavailable)?;
        let keys: Vec<Key> = identities.iter().map(|name| keys::process(name)).collect();
        let fields = self.fields_of(&keys).await?;
        Ok(identities.into_iter().zip(fields).collect())
    }

    /// The fields of hashes.
    pub(super) async fn fields_of(&self, keys: &[Key]) -> Result<Vec<Fields>, ApiError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.store()
            .fields(keys)
            .await
            .map_err(ApiError::unavailable)
    }

    async fn leader(&self) -> Result<Option<String>, ApiError> {
        let values = self.store().values(&[keys::LEADER.into()]).await;
        let leader = values.map_err(ApiError::unavailable)?.pop().flatten();
        Ok(leader.map(|leader| String::from_utf8_lossy(&leader).into_owned()))
    }
}

impl Signal {
    /// The name under which a process knows it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quiet => "TSTP",
            Self::Stop => "TERM",
            Self::Dump => "TTIN",
        }
    }
}
