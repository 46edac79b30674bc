//! A clock that a test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::job::Timestamp;
use crate::store::TestClock;

/// A clock that stands still until a test moves it. A clone is the same clock.
///
/// It is the time of pushes, of schedules, retries and the dead set. A job's `timeout`, and whatever a job asks tokio or its host
/// for, go by the real one.
///
/// ```
/// # use std::time::Duration;
/// let clock = sancho::testing::Clock::starting_now();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().since(before), Duration::from_secs(60));
/// ```
#[derive(Clone, Debug)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    /// A clock that shows this.
    #[must_use]
    pub fn showing(time: impl Into<Timestamp>) -> Self {
        Self(Arc::new(AtomicI64::new(time.into().as_micros())))
    }

    /// A clock that shows the host's time of now.
    #[must_use]
    pub fn starting_now() -> Self {
        Self::showing(Timestamp::from_wall_clock())
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().after(by));
    }

    /// Sets it to this time, which may be an earlier one.
    pub fn set(&self, time: impl Into<Timestamp>) {
        self.0.store(time.into().as_micros(), Ordering::SeqCst);
    }

    /// The clock as a store, a server ([`ServerBuilder::with_clock`](crate::runtime::ServerBuilder::with_clock)) and the
    /// [data API](crate::api::Api::with_clock) take it.
    #[must_use]
    pub fn source(&self) -> TestClock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}
