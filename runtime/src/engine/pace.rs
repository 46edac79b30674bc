//! How many jobs to claim ahead of free slots.

use std::time::{Duration, Instant};

/// A prefetched job is to wait no longer than this at the measured rate; and jobs that take longer are not prefetched.
const HORIZON: Duration = Duration::from_millis(5);

/// How many slots' worth of jobs are prefetched at most, or this many where that is more: a round trip costs as much as a few
/// dozen no-op jobs, however few slots there are.
const MOST_PER_SLOT: usize = 4;
const MOST_OF_FEW: usize = 512;

/// How many bytes of payloads are prefetched at most.
const MOST_BYTES: usize = 1 << 20;

/// How long a rate is measured before it counts.
const WINDOW: Duration = Duration::from_millis(20);

/// Measures how fast jobs end, and says how many to claim ahead.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    ended: usize,
    took: Duration,
    bytes: usize,
    ahead: usize,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            ended: 0,
            took: Duration::ZERO,
            bytes: 0,
            ahead: 0,
        }
    }

    /// Counts an execution.
    pub(super) fn ended(&mut self, took: Duration, bytes: usize) {
        self.ended += 1;
        self.took += took;
        self.bytes += bytes;
    }

    /// Forgets the rate: there was nothing to do.
    pub(super) fn idle(&mut self) {
        *self = Self::new();
    }

    /// How many jobs to hold beyond the free slots, of `slots` in all.
    pub(super) fn ahead(&mut self, slots: usize) -> usize {
        let window = self.since.elapsed();
        if window >= WINDOW && self.ended > 0 {
            self.ahead = ahead(window, self.ended, self.took, self.bytes, slots);
            (self.since, self.ended, self.took, self.bytes) =
                (Instant::now(), 0, Duration::ZERO, 0);
        }
        self.ahead
    }
}

fn ahead(window: Duration, ended: usize, took: Duration, bytes: usize, slots: usize) -> usize {
    let count = u32::try_from(ended).unwrap_or(u32::MAX);
    if took / count > HORIZON {
        return 0;
    }
    let within_horizon =
        usize::try_from(HORIZON.as_nanos() * ended as u128 / window.as_nanos().max(1))
            .unwrap_or(usize::MAX);
    let within_bytes = MOST_BYTES / (bytes / ended).max(1);
    within_horizon
        .min(slots.saturating_mul(MOST_PER_SLOT).max(MOST_OF_FEW))
        .min(within_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn fast_jobs_are_claimed_ahead_for_five_milliseconds() {
        assert_eq!(ahead(20 * MS, 400, MS, 400 * 230, 50), 100);
        assert_eq!(ahead(20 * MS, 40_000, MS, 40_000 * 230, 1), 512);
        assert_eq!(ahead(20 * MS, 40_000, MS, 40_000 * 230, 200), 800);
    }

    #[test]
    fn slow_jobs_and_big_payloads_are_not() {
        assert_eq!(ahead(100 * MS, 10, 60 * MS, 2_300, 50), 0);
        assert_eq!(ahead(20 * MS, 400, MS, 400 << 20, 50), 1);
    }
}
