//! What a child of the harness says: `first` when the first job ended, `last` when the last one did.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Counts the jobs that ended.
#[derive(Debug)]
pub struct Progress {
    jobs: u64,
    ended: AtomicU64,
    took: Mutex<Vec<u64>>,
}

impl Progress {
    /// Of so many.
    pub fn of(jobs: u64) -> Arc<Self> {
        Arc::new(Self {
            jobs,
            ended: AtomicU64::new(0),
            took: Mutex::default(),
        })
    }

    /// A job took so many nanoseconds from its push to its first line.
    pub fn note(&self, ns: u64) {
        self.took
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(ns);
    }

    /// A job ended.
    pub fn ended(&self) {
        let ended = self.ended.fetch_add(1, Ordering::Relaxed) + 1;
        if ended == 1 {
            println!("first");
        }
        if ended == self.jobs {
            println!("last");
            let took = self.took.lock().unwrap_or_else(PoisonError::into_inner);
            let took: Vec<_> = took.iter().map(u64::to_string).collect();
            println!("took {}", took.join(" "));
        }
    }
}

/// The clock that all processes of a machine share.
pub fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// The text of every job.
pub fn text() -> String {
    "x".repeat(100)
}

/// Waits until a moment of [`now_ns`], to within some 60 µs.
pub async fn until(moment: u64) {
    let left = moment.saturating_sub(now_ns());
    if left > 0 {
        let _ = tokio::task::spawn_blocking(move || std::thread::sleep(Duration::from_nanos(left)))
            .await;
    }
}
