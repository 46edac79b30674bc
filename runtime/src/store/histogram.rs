//! Histograms as Sidekiq keeps them: how many executions fell into each bucket, a bit field of 16-bit numbers.

use bytes::Bytes;

/// The upper bounds of all buckets but the last, in milliseconds. A time falls into the first whose bound is above it.
pub const BOUNDS_MS: [u64; 25] = [
    20, 30, 45, 65, 100, 150, 225, 335, 500, 750, 1_100, 1_700, 2_500, 3_800, 5_750, 8_500, 13_000,
    20_000, 30_000, 45_000, 65_000, 100_000, 150_000, 225_000, 335_000,
];

/// A histogram after these were added to it: as long as its highest bucket that was ever named.
pub(super) fn add(histogram: &[u8], counts: &[(u8, u16)]) -> Bytes {
    let mut histogram = histogram.to_vec();
    for (bucket, n) in counts {
        let at = usize::from(*bucket) * 2;
        if histogram.len() < at + 2 {
            histogram.resize(at + 2, 0);
        }
        let so_far = u16::from_be_bytes([histogram[at], histogram[at + 1]]);
        histogram[at..at + 2].copy_from_slice(&so_far.saturating_add(*n).to_be_bytes());
    }
    histogram.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_as_long_as_its_highest_bucket_and_stops_at_its_highest_number() {
        let first = add(b"", &[(1, 5)]);
        assert_eq!(&first[..], [0, 0, 0, 5]);
        let second = add(&first, &[(0, 258), (1, u16::MAX)]);
        assert_eq!(&second[..], [1, 2, 255, 255]);
    }
}
