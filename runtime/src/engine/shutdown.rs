//! Stopping: when it began, and how long it may take.

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long handing back and leaving may take after the time for running jobs is over.
pub(super) const LEAVE_GRACE: Duration = Duration::from_millis(2_500);

/// A stop. Begun once.
#[derive(Debug)]
pub(super) struct Stop {
    /// Cancelled when the stop begins.
    pub(super) begun: CancellationToken,
    /// Cancelled when running jobs are not to be waited for any longer.
    hurried: CancellationToken,
    timeout: Duration,
    deadline: OnceLock<Instant>,
}

impl Stop {
    pub(super) fn new(
        begun: CancellationToken,
        hurried: CancellationToken,
        timeout: Duration,
    ) -> Self {
        Self {
            begun,
            hurried,
            timeout,
            deadline: OnceLock::new(),
        }
    }

    /// Begins: nothing more is claimed, and running jobs are told.
    pub(super) fn begin(&self) {
        self.deadline();
        self.begun.cancel();
    }

    /// When running jobs are given up at the latest.
    pub(super) fn deadline(&self) -> Instant {
        *self.deadline.get_or_init(|| Instant::now() + self.timeout)
    }

    /// When this began, until it ends or running jobs are given up.
    pub(super) async fn wait_for(&self, work: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = work => {}
            () = tokio::time::sleep_until(self.deadline()) => {}
            () = self.hurried.cancelled() => {}
        }
    }
}
