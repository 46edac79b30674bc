//! Durations by bucket, as Prometheus wants them.

use std::time::Duration;

/// The upper bounds of all buckets but the last, and how they are written: seconds. A time falls into the first that is not
/// below it.
pub(super) const BOUNDS: [(Duration, &str); 16] = [
    (Duration::from_micros(500), "0.0005"),
    (Duration::from_millis(1), "0.001"),
    (Duration::from_micros(2_500), "0.0025"),
    (Duration::from_millis(5), "0.005"),
    (Duration::from_millis(10), "0.01"),
    (Duration::from_millis(25), "0.025"),
    (Duration::from_millis(50), "0.05"),
    (Duration::from_millis(100), "0.1"),
    (Duration::from_millis(250), "0.25"),
    (Duration::from_millis(500), "0.5"),
    (Duration::from_secs(1), "1"),
    (Duration::from_millis(2_500), "2.5"),
    (Duration::from_secs(10), "10"),
    (Duration::from_secs(60), "60"),
    (Duration::from_secs(300), "300"),
    (Duration::from_secs(1_800), "1800"),
];

/// How many times fell into each bucket, and what they are together.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Histogram {
    counts: [u64; BOUNDS.len() + 1],
    sum: Duration,
}

impl Histogram {
    pub(in crate::engine) fn observe(&mut self, took: Duration) {
        self.counts[BOUNDS.partition_point(|(bound, _)| *bound < took)] += 1;
        self.sum = self.sum.saturating_add(took);
    }

    /// How many times there were.
    pub(in crate::engine) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(super) fn sum(&self) -> Duration {
        self.sum
    }

    /// How many times were not above each bound.
    pub(super) fn cumulative(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let mut below = 0;
        BOUNDS.iter().zip(self.counts).map(move |((_, name), n)| {
            below += n;
            (*name, below)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_for_its_bound_and_all_above() {
        let mut histogram = Histogram::default();
        for ms in [1, 10, 11, 3_600_000] {
            histogram.observe(Duration::from_millis(ms));
        }
        let at = |name| {
            histogram
                .cumulative()
                .find(|(it, _)| *it == name)
                .unwrap()
                .1
        };
        assert_eq!(
            ["0.0005", "0.001", "0.005", "0.01", "0.025", "1800"].map(at),
            [0, 1, 1, 2, 3, 3]
        );
        assert_eq!(histogram.count(), 4);
        assert_eq!(histogram.sum(), Duration::from_millis(3_600_022));
    }

    #[test]
    fn bounds_are_written_as_they_are() {
        for (bound, name) in BOUNDS {
            assert_eq!(name.parse(), Ok(bound.as_secs_f64()));
        }
        assert!(BOUNDS.is_sorted());
    }
}
