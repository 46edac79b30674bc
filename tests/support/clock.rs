//! A clock that is moved by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sancho::job::Timestamp;
use sancho::store::TestClock;

/// A clock that stands still until it is moved. A clone is the same clock.
#[derive(Clone, Debug)]
pub struct Clock {
    shown: Arc<AtomicI64>,
    /// It shows the host's time instead.
    live: bool,
}

impl Clock {
    /// A clock that shows 2026-11-24, 10:00:00 UTC.
    #[must_use]
    pub fn new() -> Self {
        Self::showing(1_795_514_400_000_000)
    }

    /// A clock that shows the host's time, for what compares with it.
    #[must_use]
    pub fn starting_now() -> Self {
        Self::showing(Timestamp::from_wall_clock().as_micros())
    }

    /// The host's clock, for what Redis does by its own.
    #[must_use]
    pub fn live() -> Self {
        Self {
            live: true,
            ..Self::new()
        }
    }

    /// A clock that shows this.
    #[must_use]
    pub fn at(time: Timestamp) -> Self {
        Self::showing(time.as_micros())
    }

    fn showing(micros: i64) -> Self {
        Self {
            shown: Arc::new(AtomicI64::new(micros)),
            live: false,
        }
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        if self.live {
            return Timestamp::from_wall_clock();
        }
        Timestamp::from_micros(self.shown.load(Ordering::SeqCst))
    }

    /// Moves it on. Stores keep leases in milliseconds, so whole milliseconds are what all of them agree on.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).expect("a test moves the clock by days at most");
        self.shown.fetch_add(micros, Ordering::SeqCst);
    }

    /// The clock as a store takes it.
    #[must_use]
    pub fn source(&self) -> TestClock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
