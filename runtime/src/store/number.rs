//! Numbers in the fields of hashes, which are texts.

use bytes::Bytes;

/// What a field holds after this was added to it. What is no number counts as none, and the sum stops at the highest that
/// Redis knows.
pub(super) fn add(field: &[u8], n: u64) -> Bytes {
    let so_far: i64 = std::str::from_utf8(field)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    so_far.saturating_add_unsigned(n).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_counts_as_none_and_the_sum_stops_at_the_highest() {
        for (field, n, sum) in [
            ("", 2, "2"),
            ("word", 2, "2"),
            ("-5", 3, "-2"),
            ("9223372036854775806", 1, "9223372036854775807"),
            ("9223372036854775806", 2, "9223372036854775807"),
            ("1", u64::MAX, "9223372036854775807"),
        ] {
            assert_eq!(add(field.as_bytes(), n), sum, "{field} + {n}");
        }
    }
}
