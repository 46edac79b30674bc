//! Time spans in assertions, and in what they say.

use std::fmt::Write as _;
use std::time::Duration;

use crate::job::parse_span;

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
        let span = parse_span(self);
        span.unwrap_or_else(|| {
            panic!("{self:?} is no time span: write it as \"90s\", \"10m\", \"1h30m\" or \"2d\"")
        })
    }
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
    fn time_spans_are_written() {
        assert_eq!(span(Duration::from_secs(90_061)), "1d1h1m1s");
        assert_eq!(span(Duration::from_secs(5_400)), "1h30m");
        assert_eq!(span(Duration::from_millis(250)), "250ms");
    }
}
