//! Points in time as the stores keep them.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// The farthest from now that a job can be pushed for, put off to or moved to: 36,525 days, which are a hundred years.
///
/// A time beyond it is a mistake in all likelihood (milliseconds that were taken for seconds, a subtraction that went below zero), and
/// a job that waits for it would be as good as lost. What stands in a store already is read and run as it is.
pub const FARTHEST: Duration = Duration::from_secs(36_525 * 24 * 60 * 60);

/// A point in time in whole microseconds since the Unix epoch.
///
/// Sidekiq's sorted sets carry it as float seconds ([`Timestamp::as_score`]); a float of that size tells
/// microseconds apart, so a value comes back from a store as it went in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// A point in time from microseconds since the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// A point in time from milliseconds since the epoch; what does not fit is the nearest that does.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// A point in time from float seconds since the epoch, as Sidekiq's scores hold them. NaN is the epoch.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float-to-int cast saturates, which is what is wanted"
    )]
    pub fn from_score(seconds: f64) -> Self {
        Self((seconds * 1e6).round() as i64)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the epoch, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Float seconds since the epoch: the score of Sidekiq's sorted sets.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "53 bits tell microseconds apart until the year 2255"
    )]
    pub fn as_score(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The host's wall clock.
    #[must_use]
    pub fn from_wall_clock() -> Self {
        Self(Utc::now().timestamp_micros())
    }

    /// This much later; the latest time there is, if that is too late.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(micros(by)))
    }

    /// This much earlier; the earliest time there is, if that is too early.
    #[must_use]
    pub fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(micros(by)))
    }

    /// Whether this is farther from `now` than a job can wait.
    pub(crate) fn is_too_far(self, now: Self) -> bool {
        self.since(now) > FARTHEST
    }

    /// How much later this is than `earlier`; zero if it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    /// Float seconds with six decimals, exact: what scripts and statements are given.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let micros = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_micros())
    }
}

impl From<Timestamp> for DateTime<Utc> {
    /// A time that `chrono` cannot hold becomes its earliest or latest.
    fn from(at: Timestamp) -> Self {
        Self::from_timestamp_micros(at.0).unwrap_or(if at.0 < 0 {
            Self::MIN_UTC
        } else {
            Self::MAX_UTC
        })
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_gives_back_the_time_it_was_made_of() {
        for micros in [
            0,
            1,
            1_795_472_864_490_250,
            1_795_472_864_490_251,
            4_102_444_800_999_999,
        ] {
            let at = Timestamp::from_micros(micros);
            assert_eq!(Timestamp::from_score(at.as_score()), at);
            let text: f64 = at.to_string().parse().unwrap();
            assert_eq!(Timestamp::from_score(text), at);
        }
    }

    #[test]
    fn times_before_the_epoch_print_their_sign_once() {
        assert_eq!(Timestamp::from_micros(-1_500_000).to_string(), "-1.500000");
    }
}
