//! When a failed job is tried again.

use std::time::Duration;

/// How often a job with `retry = true` is tried again, as in Sidekiq: over about 20 days.
pub const DEFAULT_RETRIES: u32 = 25;

/// The wait before the next try, after the failure with this `count` (0 is the first): `count⁴ + 15` seconds, as in Sidekiq.
#[must_use]
pub fn delay(count: u32) -> Duration {
    Duration::from_secs(u64::from(count).saturating_pow(4).saturating_add(15))
}

/// What is added to every wait, custom ones included, so that jobs which failed together are not tried together: whole
/// seconds below `10 · (count + 1)`, as in Sidekiq 8.
#[must_use]
pub fn jitter(count: u32) -> Duration {
    Duration::from_secs(fastrand::u64(0..10 * (u64::from(count) + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_are_sidekiqs() {
        let waits: Vec<u64> = (0..DEFAULT_RETRIES)
            .map(|count| delay(count).as_secs())
            .collect();
        assert_eq!(waits[..6], [15, 16, 31, 96, 271, 640]);
        assert_eq!(waits.iter().sum::<u64>(), 1_763_395);
    }

    #[test]
    fn jitter_stays_below_its_bound() {
        for count in [0, 3, 24] {
            for _ in 0..200 {
                assert!(jitter(count).as_secs() < 10 * (u64::from(count) + 1));
            }
        }
    }

    #[test]
    fn a_count_out_of_bounds_waits_as_long_as_there_is() {
        assert!(delay(u32::MAX) > Duration::from_secs(1 << 60));
    }
}
