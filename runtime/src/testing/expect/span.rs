//! Time spans in assertions, and in what they say.

use std::fmt::Write as _;
use std::time::Duration;

/// A time span in an assertion: a [`Duration`], a text like `"1h30m"`, a number of seconds.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no time span",
    note = "write a `Duration`, a text such as \"1h30m\", or a number of seconds"
)]
pub trait Delay {
    /// The span.
    fn duration(self) -> Duration;
}

impl Delay for Duration {
    fn duration(self) -> Duration {
        self
    }
}

impl Delay for u64 {
    fn duration(self) -> Duration {
        Duration::from_secs(self)
    }
}

impl Delay for &str {
    #[track_caller]
    fn duration(self) -> Duration {
        match seconds(self) {
            Some(seconds) => Duration::from_secs(seconds),
            None => {
                panic!(
                    "{self:?} is no time span: write it as \"90s\", \"10m\", \"1h30m\" or \"2d\""
                )
            }
        }
    }
}

fn seconds(text: &str) -> Option<u64> {
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = rest.split_at(digits);
        let unit_seconds = match unit.as_bytes().first()? {
            b'd' => 86_400,
            b'h' => 3_600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        let number: u64 = number.parse().ok()?;
        total = total.checked_add(number.checked_mul(unit_seconds)?)?;
        rest = &unit[1..];
    }
    (!text.is_empty()).then_some(total)
}

/// A time span in words: `1d2h`, `5m3s`, `250ms`.
pub(super) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let mut rest = seconds;
    let mut text = String::new();
    for (unit, length) in units {
        if rest >= length {
            let _ = write!(text, "{}{unit}", rest / length);
            rest %= length;
        }
    }
    if text.is_empty() {
        text = format!("{}ms", span.as_millis());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_are_read_and_written() {
        for (text, expected) in [("90s", 90), ("1h30m", 5_400), ("2d1s", 172_801), ("0s", 0)] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in ["", "5", "m", "5x", "1h30", "99999999999999999999s", "é"] {
            assert_eq!(seconds(text), None, "{text}");
        }
        assert_eq!(span(Duration::from_secs(90_061)), "1d1h1m1s");
        assert_eq!(span(Duration::from_secs(5_400)), "1h30m");
        assert_eq!(span(Duration::from_millis(250)), "250ms");
    }
}
