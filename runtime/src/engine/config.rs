//! What an engine is set to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::dead_set::DeadSet;
use crate::job::backoff;
use crate::job::payload::Wire;

/// How long a hook, a handler, or a job's `retries_exhausted` may take by default.
pub(crate) const HOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// What an engine is set to.
#[derive(Clone, Debug)]
pub(super) struct EngineConfig {
    /// How long a stop waits for running jobs. Defaults to 25 s.
    pub(super) shutdown_timeout: Duration,
    /// How long the store takes this process for alive after a renewal; renewed at a third of it. Defaults to 12 s.
    pub(super) lease: Duration,
    /// What others see this process called. Defaults to the program's name.
    pub(super) tag: String,
    /// By what else others may tell it from its like. Defaults to nothing.
    pub(super) labels: Vec<String>,
    /// The version of Sidekiq that what is written is meant for. Defaults to 8.
    pub(super) wire: Wire,
    /// How often a job with `retry = true` is tried again. Defaults to 25.
    pub(super) max_retries: u32,
    /// How long a hook, a handler, or a job's `retries_exhausted` may take. Defaults to 10 s.
    pub(super) hook_timeout: Duration,
    /// What the dead set keeps.
    pub(super) dead_set: DeadSet,
    /// How long the schedule and the retry set are left alone at most; what is due wakes it anyway. Defaults to 10 s.
    pub(super) poll_interval: Duration,
}

/// How many jobs run at once by default.
pub(super) const DEFAULT_CONCURRENCY: usize = 10;

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            shutdown_timeout: Duration::from_secs(25),
            lease: Duration::from_secs(12),
            tag: program(),
            labels: Vec::new(),
            wire: Wire::default(),
            max_retries: backoff::DEFAULT_RETRIES,
            hook_timeout: HOOK_TIMEOUT,
            dead_set: DeadSet::default(),
            poll_interval: Duration::from_secs(10),
        }
    }
}

/// The name of the program that runs.
fn program() -> String {
    let path = std::env::args_os().next().map(PathBuf::from);
    let name = path.as_deref().and_then(Path::file_name);
    name.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
