//! Numbers, times and sizes as people read them.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use maud::{Markup, html};
use sancho::job::Timestamp;

/// A number in groups of three digits.
pub(crate) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number in at most four characters, for where there is little room.
#[expect(clippy::cast_precision_loss, reason = "it is rounded anyway")]
pub(crate) fn short(n: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    if n < 10_000 {
        return number(n);
    }
    for (unit, name) in UNITS {
        if n >= unit {
            let value = n as f64 / unit as f64;
            return if value < 100.0 {
                format!("{value:.1}{name}").replace(".0", "")
            } else {
                format!("{value:.0}{name}")
            };
        }
    }
    number(n)
}

/// How long something took or takes: two units at most.
pub(crate) fn duration(time: Duration) -> String {
    let ms = time.as_millis();
    let seconds = time.as_secs();
    match seconds {
        0 if ms == 0 => "0 ms".to_owned(),
        0 => format!("{ms} ms"),
        1..=9 => format!("{:.1} s", time.as_secs_f64()),
        10..=59 => format!("{seconds} s"),
        60..=3_599 => two(seconds, 60, "min", 1, "s"),
        3_600..=86_399 => two(seconds, 3_600, "h", 60, "min"),
        _ => two(seconds, 86_400, "d", 3_600, "h"),
    }
}

fn two(seconds: u64, big: u64, big_name: &str, small: u64, small_name: &str) -> String {
    let (whole, rest) = (seconds / big, seconds % big / small);
    if rest == 0 || whole >= 10 {
        format!("{} {big_name}", number(whole))
    } else {
        format!("{whole} {big_name} {rest} {small_name}")
    }
}

/// How long ago, or in how much time, in one unit.
pub(crate) fn relative(at: Timestamp, now: Timestamp) -> String {
    let (time, future) = if at > now {
        (at.since(now), true)
    } else {
        (now.since(at), false)
    };
    let seconds = time.as_secs();
    let text = match seconds {
        0..=1 => return "now".to_owned(),
        2..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", number(seconds / 86_400)),
    };
    if future {
        format!("in {text}")
    } else {
        format!("{text} ago")
    }
}

/// The exact time, in UTC.
pub(crate) fn exact(at: Timestamp) -> String {
    let at = DateTime::<Utc>::from(at);
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A time as machines read it.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    DateTime::<Utc>::from(at).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A relative time with the exact one at hand.
pub(crate) fn time(at: Timestamp, now: Timestamp) -> Markup {
    html! {
        time datetime=(rfc3339(at)) title=(exact(at)) data-relative { (relative(at, now)) }
    }
}

/// The time of day.
pub(crate) fn clock(at: Timestamp) -> String {
    DateTime::<Utc>::from(at).format("%H:%M").to_string()
}

/// A size in bytes.
#[expect(clippy::cast_precision_loss, reason = "it is rounded anyway")]
pub(crate) fn bytes(n: u64) -> String {
    match n {
        0..1_024 => format!("{n} B"),
        1_024..1_048_576 => format!("{:.0} KB", n as f64 / 1_024.0),
        1_048_576..1_073_741_824 => format!("{:.0} MB", n as f64 / 1_048_576.0),
        _ => format!("{:.1} GB", n as f64 / 1_073_741_824.0),
    }
}

/// A share in percent; 0 of nothing.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    match whole_percent(part, whole) {
        0 if part > 0 => "< 1 %".to_owned(),
        percent => format!("{percent} %"),
    }
}

/// A share in whole percent.
pub(crate) fn whole_percent(part: u64, whole: u64) -> u64 {
    let share = (u128::from(part) * 100).checked_div(u128::from(whole));
    share
        .and_then(|share| u64::try_from(share).ok())
        .unwrap_or(0)
}

/// How long the store took, to the microsecond where it was fast.
pub(crate) fn cost(time: Duration) -> String {
    if time < Duration::from_millis(10) {
        format!("{:.2} ms", time.as_secs_f64() * 1_000.0)
    } else {
        duration(time)
    }
}

/// One thing or several.
pub(crate) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// A text of at most so many characters, with a mark where it was cut.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let cases = [
            (0, "0", "0"),
            (999, "999", "999"),
            (1_000, "1,000", "1,000"),
            (12_345, "12,345", "12.3k"),
            (5_000_000, "5,000,000", "5M"),
            (123_456_789, "123,456,789", "123M"),
        ];
        for (n, long, brief) in cases {
            assert_eq!((&*number(n), &*short(n)), (long, brief));
        }
    }

    #[test]
    fn times_have_two_units_at_most() {
        let cases = [
            (0, "0 ms"),
            (450, "450 ms"),
            (1_250, "1.2 s"),
            (42_000, "42 s"),
            (90_000, "1 min 30 s"),
            (3_600_000, "1 h"),
            (7_260_000, "2 h 1 min"),
            (200_000_000, "2 d 7 h"),
            (2_000_000_000, "23 d"),
        ];
        for (ms, text) in cases {
            assert_eq!(duration(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn shares_are_never_rounded_to_nothing() {
        for (part, whole, text) in [
            (0, 0, "0 %"),
            (0, 9, "0 %"),
            (1, 1_000, "< 1 %"),
            (2, 3, "66 %"),
        ] {
            assert_eq!(percent(part, whole), text);
        }
        assert_eq!(percent(u64::MAX, u64::MAX), "100 %");
        assert_eq!(cost(Duration::from_micros(310)), "0.31 ms");
    }

    #[test]
    fn times_are_relative_both_ways() {
        let now = Timestamp::from_millis(1_795_469_327_000);
        let minutes = |n: u64| Duration::from_secs(60 * n);
        assert_eq!(relative(now, now), "now");
        assert_eq!(relative(now.before(minutes(3)), now), "3 min ago");
        assert_eq!(relative(now.after(minutes(60 * 24 * 20)), now), "in 20 d");
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("aäb", 2), "aä…");
        assert_eq!(cut("aä", 2), "aä");
    }
}
