//! Reading the config file and the schedule file anew while the server runs.

use std::sync::{Mutex, PoisonError};

use super::args::Args;
use super::config::{Environment, Settings};
use super::log::Log;
use crate::Result;
use crate::engine::Handle;
use crate::job::one_line;

/// What can be read anew, and what holds now.
#[derive(Debug)]
pub(super) struct Reload {
    args: Args,
    log: Log,
    handle: Handle,
    current: Mutex<Settings>,
}

impl Reload {
    pub(super) fn new(args: Args, log: Log, handle: Handle, settings: Settings) -> Self {
        Self {
            args,
            log,
            handle,
            current: Mutex::new(settings),
        }
    }

    /// Reads it: the log level, and the queues and concurrency of every capsule hold from now on. Then the schedule file, wherever it was at the
    /// start. What is wrong changes nothing.
    pub(super) fn run(&self) {
        match self.args.load(&Environment::of_process()) {
            Ok(loaded) => {
                for warning in &loaded.warnings {
                    tracing::warn!("{warning}");
                }
                match self.change(loaded.settings) {
                    Ok(()) => tracing::info!("the settings were read anew"),
                    Err(error) => tracing::error!(%error, "not all settings hold: {error}"),
                }
            }
            Err(error) => {
                tracing::error!(%error, "the settings stay as they were: {error}");
            }
        }
        match self.handle.read_schedule() {
            Ok(Some(file)) => {
                let file = file.display();
                tracing::info!(%file, "the schedule file {file} was read anew");
            }
            Ok(None) => {}
            Err(error) => {
                // All mistakes of the file, each in a line of its own.
                let error = error.to_string();
                let words: Vec<_> = error.split_whitespace().collect();
                let error = one_line(words.join(" "));
                tracing::error!(%error, "the cron's entries stay as they were: {error}");
            }
        }
    }

    fn change(&self, next: Settings) -> Result<()> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if next.fixed() != current.fixed() {
            tracing::warn!(
                "only the log level, queues and concurrency change while it runs: the others take a restart"
            );
        }
        self.log.set_level(next.log_level);
        let described = next.described_capsules();
        let concurrency = next.concurrency;
        *current = next;
        for capsule in &described {
            let Some(running) = self.handle.capsule(capsule.name()) else {
                tracing::warn!("the capsule {} is new: it takes a restart", capsule.name());
                continue;
            };
            if let Some(queues) = capsule.said_queues() {
                running.set_queues(queues.iter().cloned())?;
            }
            if let Some(jobs) = capsule.said_concurrency().or(concurrency) {
                running.set_concurrency(jobs)?;
            }
        }
        Ok(())
    }
}
