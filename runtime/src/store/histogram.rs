//! Histograms as Sidekiq keeps them: a bit field of 16-bit numbers.

use bytes::Bytes;

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
