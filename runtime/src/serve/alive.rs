//! A file that shows that the worker is alive, for probes that cannot ask it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::engine::Handle;
use crate::{Error, Result};

/// How often it is written.
const EVERY: Duration = Duration::from_secs(5);

/// The file. It goes when this does.
#[derive(Debug)]
pub(super) struct AliveFile(PathBuf);

impl AliveFile {
    /// # Errors
    /// The file cannot be written.
    pub(super) fn at(path: PathBuf) -> Result<Self> {
        fs::write(&path, "").map_err(|error| {
            Error::config(format!(
                "alive_file is {}: it cannot be written ({error}); give a path that can",
                path.display()
            ))
        })?;
        // Until the worker claims jobs, it is not there.
        let file = Self(path);
        file.remove();
        Ok(file)
    }

    /// Writes it whenever every duty is alive, from when the server has started until this is aborted.
    pub(super) fn keep(&self, handle: Handle) -> AbortHandle {
        let path = self.0.clone();
        let keep = async move {
            handle.started().await;
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                if handle.is_alive()
                    && let Err(error) = fs::write(&path, std::process::id().to_string())
                {
                    tracing::warn!(%error, "the alive_file {} cannot be written: {error}", path.display());
                }
            }
        };
        tokio::spawn(keep).abort_handle()
    }

    fn remove(&self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Drop for AliveFile {
    fn drop(&mut self) {
        self.remove();
    }
}
