//! What a worker is set to, and where that was said.
//!
//! Each place ([`args`](super::args), the environment, the file) gives [`Settings`]; the first that says something wins. The
//! table of all settings is [`table`].

mod environment;
mod file;
mod read;
mod table;
mod value;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::client::Wire;
use crate::engine::{Capsule, ServedQueue, ServerBuilder};
use crate::serve::log::{Format, Level};
use crate::{Error, Result};
pub(super) use environment::Environment;
pub(super) use file::read_text;
pub(super) use read::{address, concurrency, format, queue, seconds};

/// What one place says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Settings {
    pub(super) concurrency: Option<usize>,
    pub(super) queues: Option<Vec<ServedQueue>>,
    pub(super) capsules: Option<Vec<Capsule>>,
    pub(super) timeout: Option<Duration>,
    pub(super) tag: Option<String>,
    pub(super) labels: Option<Vec<String>>,
    pub(super) store: Option<Store>,
    pub(super) max_retries: Option<u32>,
    pub(super) dead_max_jobs: Option<u64>,
    pub(super) dead_timeout: Option<Duration>,
    pub(super) lease: Option<Duration>,
    pub(super) wire: Option<Wire>,
    pub(super) poll_interval: Option<Duration>,
    pub(super) push_timeout: Option<Duration>,
    pub(super) log_level: Option<Level>,
    pub(super) log_format: Option<Format>,
    pub(super) alive_file: Option<PathBuf>,
    pub(super) health: Option<SocketAddr>,
    pub(super) schedule_file: Option<PathBuf>,
    pub(super) hook_timeout: Option<Duration>,
}

/// A store's URL, and where it was said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Store {
    pub(super) url: String,
    pub(super) setting: String,
}

/// What was found beside the settings.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) settings: Settings,
    /// The name of the environment, as in Sidekiq: `development` unless somebody says otherwise.
    pub(super) environment: String,
    /// The file that was read.
    pub(super) file: Option<PathBuf>,
    /// What is not heeded, and why.
    pub(super) warnings: Vec<String>,
}

/// Puts together what the command line, the environment and the file say.
///
/// # Errors
/// A file that cannot be read; what is wrong in it or in the environment, by name.
pub(super) fn load(
    said: &Settings,
    file: Option<PathBuf>,
    environment: Option<String>,
    variables: &Environment,
) -> Result<Loaded> {
    let environment = environment
        .or_else(|| variables.environment())
        .unwrap_or_else(|| "development".into());
    let file = file.map_or_else(file::usual, |named| Ok(Some(named)))?;
    let mut warnings = Vec::new();
    let filed = match &file {
        Some(path) => file::read(path, &environment, &mut warnings)?,
        None => Settings::default(),
    };
    let mut settings = said.clone().or(variables.settings()?).or(filed);
    // As in Sidekiq, this variable counts where nobody says anything else: it sizes pools of threads of many programs.
    if settings.concurrency.is_none() {
        settings.concurrency = variables.threads()?;
    }
    Ok(Loaded {
        settings,
        environment,
        file,
        warnings,
    })
}

impl Settings {
    /// These, and where they say nothing, the other ones.
    fn or(self, other: Self) -> Self {
        Self {
            concurrency: self.concurrency.or(other.concurrency),
            queues: self.queues.or(other.queues),
            capsules: self.capsules.or(other.capsules),
            timeout: self.timeout.or(other.timeout),
            tag: self.tag.or(other.tag),
            labels: self.labels.or(other.labels),
            store: self.store.or(other.store),
            max_retries: self.max_retries.or(other.max_retries),
            dead_max_jobs: self.dead_max_jobs.or(other.dead_max_jobs),
            dead_timeout: self.dead_timeout.or(other.dead_timeout),
            lease: self.lease.or(other.lease),
            wire: self.wire.or(other.wire),
            poll_interval: self.poll_interval.or(other.poll_interval),
            push_timeout: self.push_timeout.or(other.push_timeout),
            log_level: self.log_level.or(other.log_level),
            log_format: self.log_format.or(other.log_format),
            alive_file: self.alive_file.or(other.alive_file),
            health: self.health.or(other.health),
            schedule_file: self.schedule_file.or(other.schedule_file),
            hook_timeout: self.hook_timeout.or(other.hook_timeout),
        }
    }

    /// All capsules that are described, the default one included.
    pub(super) fn described_capsules(&self) -> Vec<Capsule> {
        let mut default = Capsule::named("default");
        if let Some(concurrency) = self.concurrency {
            default = default.concurrency(concurrency);
        }
        if let Some(queues) = &self.queues {
            default = default.queues(queues.iter().cloned());
        }
        let others = self.capsules.iter().flatten().cloned();
        [default].into_iter().chain(others).collect()
    }

    /// The builder with what these say.
    pub(super) fn apply(self, mut builder: ServerBuilder) -> ServerBuilder {
        for capsule in self.described_capsules() {
            builder = builder.capsule(capsule);
        }
        if let Some(timeout) = self.timeout {
            builder = builder.shutdown_timeout(timeout);
        }
        if let Some(tag) = self.tag {
            builder = builder.tag(tag);
        }
        if let Some(labels) = self.labels {
            builder = builder.labels(labels);
        }
        if let Some(store) = self.store {
            builder = builder.store(store.url);
        }
        if let Some(times) = self.max_retries {
            builder = builder.max_retries(times);
        }
        if let Some(jobs) = self.dead_max_jobs {
            builder = builder.dead_max_jobs(jobs);
        }
        if let Some(timeout) = self.dead_timeout {
            builder = builder.dead_timeout(timeout);
        }
        if let Some(lease) = self.lease {
            builder = builder.lease(lease);
        }
        if let Some(wire) = self.wire {
            builder = builder.sidekiq_wire(wire);
        }
        if let Some(interval) = self.poll_interval {
            builder = builder.poll_interval(interval);
        }
        if let Some(timeout) = self.push_timeout {
            builder = builder.push_timeout(timeout);
        }
        if let Some(path) = self.schedule_file {
            builder = builder.schedule_file(path);
        }
        if let Some(timeout) = self.hook_timeout {
            builder = builder.hook_timeout(timeout);
        }
        builder
    }

    /// These without what can be changed while a server runs.
    pub(super) fn fixed(&self) -> Self {
        Self {
            concurrency: None,
            queues: None,
            capsules: None,
            log_level: None,
            ..self.clone()
        }
    }
}

/// The error of a setting that is wrong.
fn wrong(setting: &str, given: impl std::fmt::Display, allowed: &str) -> Error {
    Error::config(format!("{setting} is {given}: give {allowed}"))
}

/// The arguments that the table of settings names, sorted.
#[cfg(test)]
pub(super) fn arguments() -> Vec<&'static str> {
    let mut named: Vec<_> = table::SETTINGS
        .iter()
        .filter_map(|it| it.argument)
        .collect();
    named.sort_unstable();
    named
}

#[cfg(test)]
mod tests;
