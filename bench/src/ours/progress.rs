//! What a worker says: `first` when the first job ended, `last` and `took` when the last one did, and where it is asked for
//! `ended COUNT GAP` every so many jobs, with the longest time so far in which none ended.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::rig::now_ns;

static PROGRESS: OnceLock<Progress> = OnceLock::new();

/// Counts the jobs that ended.
#[derive(Debug)]
pub(super) struct Progress {
    jobs: u64,
    every: u64,
    ended: AtomicU64,
    last: AtomicU64,
    gap: AtomicU64,
    took: Mutex<Vec<u64>>,
}

impl Progress {
    pub(super) fn begin(jobs: u64, every: u64) {
        let _ = PROGRESS.set(Self {
            jobs,
            every,
            ended: AtomicU64::new(0),
            last: AtomicU64::new(0),
            gap: AtomicU64::new(0),
            took: Mutex::default(),
        });
    }
}

/// A job took so many nanoseconds.
pub(super) fn note(ns: u64) {
    if let Some(progress) = PROGRESS.get() {
        let mut took = progress.took.lock().unwrap_or_else(PoisonError::into_inner);
        took.push(ns);
    }
}

/// A job ended.
pub(super) fn ended() {
    let Some(progress) = PROGRESS.get() else {
        return;
    };
    let ended = progress.ended.fetch_add(1, Ordering::Relaxed) + 1;
    if progress.every > 0 {
        let now = now_ns();
        let before = progress.last.swap(now, Ordering::Relaxed);
        if before > 0 {
            progress
                .gap
                .fetch_max(now.saturating_sub(before), Ordering::Relaxed);
        }
        if ended.is_multiple_of(progress.every) {
            println!("ended {ended} {}", progress.gap.load(Ordering::Relaxed));
        }
    }
    if ended == 1 {
        println!("first");
    }
    if ended == progress.jobs {
        println!("last");
        let took = progress.took.lock().unwrap_or_else(PoisonError::into_inner);
        let took: Vec<_> = took.iter().map(u64::to_string).collect();
        println!("took {}", took.join(" "));
    }
}
