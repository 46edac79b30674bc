//! When this process kills itself, or sends itself another signal.

use std::env;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use rustix::process::{Signal, getpid, kill_process};

use crate::log::Log;

/// The point amid a commit, which no hook of the engine can name: armed before the commit, it is reached in the store.
const MID_COMMIT: &str = "MidCommit";
/// Amid the commit of a bulk push.
const BULK_PUSH: &str = "BulkPush";

/// The points amid a commit, and what each is armed by.
const AMID: [(&str, &str); 4] = [
    (MID_COMMIT, "BeforeCommit"),
    ("MidTick", "Ticking"),
    ("MidCheckpoint", "Checkpoint"),
    (BULK_PUSH, BULK_PUSH),
];

/// The end of this process at the nth arrival at a point.
#[derive(Debug)]
pub(crate) struct Kill {
    pub(crate) log: Log,
    point: String,
    left: AtomicU32,
    /// `None`: it holds its thread instead, for somebody else to stop it.
    signal: Option<Signal>,
    armed: AtomicBool,
}

impl Kill {
    /// Reads `CRASH_KILL`: a point, a colon, and at which arrival. Without it, the process lives. `CRASH_SIGNAL` says what comes
    /// instead of the end: `HOLD` or `TERM`.
    pub(crate) fn from_environment(log: Log) -> Self {
        let setting = env::var("CRASH_KILL").unwrap_or_default();
        let (point, left) = setting.split_once(':').unwrap_or(("", "1"));
        Self {
            log,
            point: point.to_owned(),
            left: AtomicU32::new(left.parse().expect("CRASH_KILL ends with a number")),
            signal: match env::var("CRASH_SIGNAL").as_deref() {
                Ok("HOLD") => None,
                Ok("TERM") => Some(Signal::TERM),
                _ => Some(Signal::KILL),
            },
            armed: AtomicBool::new(false),
        }
    }

    /// Whether there is a point at which this process ends.
    pub(crate) fn is_set(&self) -> bool {
        !self.point.is_empty()
    }

    /// Counts an arrival.
    pub(crate) fn reach(&self, point: &str) {
        let arms = self.amid().is_some_and(|by| by == point);
        if !arms && point != self.point {
            return;
        }
        // Several threads may arrive at once: only one of them is the nth.
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            if self.needs_proxy() {
                self.armed.store(true, Ordering::SeqCst);
            } else {
                self.now();
            }
        }
    }

    /// The changes of a transaction are made and not committed (SQLite), or a script is on its way or answered (Redis).
    pub(crate) fn amid_commit(&self) {
        if self.is_armed() {
            self.now();
        }
    }

    pub(crate) fn is_armed(&self) -> bool {
        self.armed.load(Ordering::SeqCst)
    }

    /// Whether the end comes amid a commit, between this process and a Redis.
    pub(crate) fn needs_proxy(&self) -> bool {
        self.amid().is_some()
    }

    /// What arms an end amid a commit.
    fn amid(&self) -> Option<&'static str> {
        let armed = AMID.iter().find(|(point, _)| *point == self.point);
        armed.map(|(_, by)| *by)
    }

    /// Sends the signal. After SIGTERM this thread goes on at once. Without one it is held until there is a file at `CRASH_GATE`.
    pub(crate) fn now(&self) {
        self.log.write("killed");
        let Some(signal) = self.signal else {
            let gate = env::var("CRASH_GATE").expect("CRASH_GATE says when to go on");
            while !Path::new(&gate).exists() {
                thread::yield_now();
            }
            return;
        };
        kill_process(getpid(), signal).expect("a process may send itself signals");
        if signal == Signal::KILL {
            loop {
                thread::park();
            }
        }
    }
}
