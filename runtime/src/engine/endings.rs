//! Where executions that ended are gathered for the next commit.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::execute::Executed;

/// How long endings are gathered at most before they are committed.
const GATHER: Duration = Duration::from_micros(200);

#[derive(Debug, Default)]
pub(super) struct Endings {
    ended: Mutex<Vec<Executed>>,
    arrived: Notify,
}

impl Endings {
    /// Called by every execution, at its end. Only the first of a batch wakes the loop.
    pub(super) fn push(&self, executed: Executed) {
        let mut ended = self.lock();
        ended.push(executed);
        let first = ended.len() == 1;
        drop(ended);
        if first {
            self.arrived.notify_one();
        }
    }

    /// Wakes the loop, though nothing came.
    pub(super) fn wake(&self) {
        self.arrived.notify_one();
    }

    /// Returns when there may be some.
    ///
    /// # Cancel safety
    /// It can be dropped and asked again.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Takes what has ended, and, as long as more keeps coming, waits for it: a round trip costs more than a few dozen
    /// no-op jobs. It ends as soon as all `running` have ended or a look finds nothing new, so a job that takes its time holds
    /// nobody up.
    pub(super) async fn gather(&self, running: usize) -> Vec<Executed> {
        let start = Instant::now();
        loop {
            let before = self.lock().len();
            if before == 0 || before >= running || start.elapsed() >= GATHER {
                break;
            }
            tokio::task::yield_now().await;
            if self.lock().len() == before {
                break;
            }
        }
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Executed>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
