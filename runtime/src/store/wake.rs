//! Wake-ups: what [`Store::wait`](super::Store::wait) sleeps on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::{Interest, InterestKind};

/// Counts the changes of each kind, and wakes who waits for one.
///
/// An [`Interest`] remembers the number that it has seen, so a change between a look and the wait is not slept past. The
/// numbers begin at 1 and those of an interest at 0, so a first wait returns at once.
#[derive(Debug)]
pub(super) struct Wake {
    queues: Changes,
    timed: Changes,
    lists: Changes,
}

#[derive(Debug)]
struct Changes {
    count: AtomicU64,
    changed: Notify,
}

impl Wake {
    pub(super) fn new() -> Self {
        let changes = || Changes {
            count: AtomicU64::new(1),
            changed: Notify::new(),
        };
        Self {
            queues: changes(),
            timed: changes(),
            lists: changes(),
        }
    }

    /// Something of this kind may have changed.
    pub(super) fn changed(&self, kind: InterestKind) {
        let changes = self.of(kind);
        changes.count.fetch_add(1, Ordering::AcqRel);
        changes.changed.notify_waiters();
    }

    /// Returns when something has changed since the last time, or after `timeout`.
    pub(super) async fn wait(&self, interest: &Interest, timeout: Duration) {
        let changes = self.of(interest.kind);
        let changed = async {
            loop {
                let notified = changes.changed.notified();
                tokio::pin!(notified);
                // Registered before the count is read, so that no change falls between the two.
                notified.as_mut().enable();
                let count = changes.count.load(Ordering::Acquire);
                if interest.seen.swap(count, Ordering::AcqRel) != count {
                    return;
                }
                notified.await;
            }
        };
        let _ = tokio::time::timeout(timeout, changed).await;
    }

    fn of(&self, kind: InterestKind) -> &Changes {
        match kind {
            InterestKind::Queues => &self.queues,
            InterestKind::Timed => &self.timed,
            InterestKind::Lists => &self.lists,
        }
    }
}
