//! The store's time, read without asking the store.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use crate::job::Timestamp;
use crate::store::TestClock;

/// The store's clock as of the last renewal, carried on by this host's monotonic one: neither a wrong wall clock here nor
/// a jump of it moves a job.
pub(super) struct Clock {
    base: Instant,
    /// The store's time at `base`, in microseconds.
    offset: AtomicI64,
    test: Option<TestClock>,
}

impl Clock {
    /// A clock that starts at the host's wall time.
    pub(super) fn new(test: Option<TestClock>) -> Self {
        Self {
            base: Instant::now(),
            offset: AtomicI64::new(Timestamp::from_wall_clock().as_micros()),
            test,
        }
    }

    /// Sets it to the store's time.
    pub(super) fn set(&self, now: Timestamp) {
        self.offset.store(
            now.before(self.base.elapsed()).as_micros(),
            Ordering::Relaxed,
        );
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        match &self.test {
            Some(clock) => clock(),
            None => Timestamp::from_micros(self.offset.load(Ordering::Relaxed))
                .after(self.base.elapsed()),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
