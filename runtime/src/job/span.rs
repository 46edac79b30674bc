//! Time spans as people write them: `90s`, `15m`, `1h30m`, `2d`, `1w`.

use std::time::Duration;

/// Reads a time span: whole numbers with the units `w`, `d`, `h`, `m` and `s`, each once, the larger one first. Those of the options of
/// [`job`](macro@crate::job) are read by the compiler, by the same rules but for weeks and for zero.
///
/// ```
/// # use std::time::Duration;
/// assert_eq!(sancho::job::parse_span("1h30m"), Some(Duration::from_secs(5_400)));
/// assert_eq!(sancho::job::parse_span("1.5h"), None);
/// ```
#[must_use]
pub fn parse_span(text: &str) -> Option<Duration> {
    let mut total = 0_u64;
    let mut rest = text;
    let mut larger = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = rest.split_at(digits);
        let seconds = match unit.as_bytes().first()? {
            b'w' => 604_800,
            b'd' => 86_400,
            b'h' => 3_600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        if seconds >= larger {
            return None;
        }
        larger = seconds;
        let number: u64 = number.parse().ok()?;
        total = total.checked_add(number.checked_mul(seconds)?)?;
        rest = &unit[1..];
    }
    (!text.is_empty()).then_some(Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read() {
        for (text, seconds) in [
            ("90s", 90),
            ("15m", 900),
            ("1h30m", 5_400),
            ("2d1s", 172_801),
            ("1w", 604_800),
            ("0s", 0),
        ] {
            assert_eq!(
                parse_span(text),
                Some(Duration::from_secs(seconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in [
            "",
            "5",
            "m",
            "5x",
            "1h30",
            "1.5h",
            "-1h",
            "30m1h",
            "1m1m",
            "10 m",
            "é",
            "1é",
            "99999999999999999999s",
            "9999999999999999999w",
        ] {
            assert_eq!(parse_span(text), None, "{text}");
        }
    }
}
