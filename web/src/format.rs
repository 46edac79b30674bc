//! Numbers, times and sizes as people read them.

use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, TimeZone, Utc};
use maud::{Markup, html};
use sancho::job::Timestamp;

use crate::language::{Template, Words};

impl Words {
    /// A number in groups of three digits.
    pub(crate) fn number(&self, n: u64) -> String {
        let (mark, least) = self.language.grouping();
        let digits = n.to_string();
        if digits.len() < least {
            return digits;
        }
        let mut grouped = String::with_capacity(digits.len() * 2);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                grouped.push_str(mark);
            }
            grouped.push(digit);
        }
        grouped
    }

    /// A number in at most four characters, for where there is little room.
    #[expect(clippy::cast_precision_loss, reason = "it is rounded anyway")]
    pub(crate) fn short(&self, n: u64) -> String {
        const UNITS: [(u64, &str); 4] = [
            (1_000_000_000_000, "T"),
            (1_000_000_000, "G"),
            (1_000_000, "M"),
            (1_000, "k"),
        ];
        if n < 10_000 {
            return self.number(n);
        }
        for (unit, name) in UNITS {
            if n >= unit {
                let value = n as f64 / unit as f64;
                return if value < 100.0 {
                    let text = self.decimal(value, 1);
                    let whole = format!("{}0", self.language.decimal_mark());
                    format!("{}{name}", text.strip_suffix(&whole).unwrap_or(&text))
                } else {
                    format!("{value:.0}{name}")
                };
            }
        }
        self.number(n)
    }

    /// A number with so many digits after its mark.
    pub(crate) fn decimal(&self, n: f64, digits: usize) -> String {
        format!("{n:.digits$}").replace('.', self.language.decimal_mark())
    }

    /// How long something took or takes: two units at most.
    pub(crate) fn duration(&self, time: Duration) -> String {
        let ms = time.as_millis();
        let seconds = time.as_secs();
        match seconds {
            0 => unit(&self.unit_ms, &ms.to_string()),
            1..=9 => unit(&self.unit_s, &self.decimal(time.as_secs_f64(), 1)),
            10..=59 => unit(&self.unit_s, &seconds.to_string()),
            60..=3_599 => self.two(seconds, (60, &self.unit_min), (1, &self.unit_s)),
            3_600..=86_399 => self.two(seconds, (3_600, &self.unit_h), (60, &self.unit_min)),
            _ => self.two(seconds, (86_400, &self.unit_d), (3_600, &self.unit_h)),
        }
    }

    fn two(&self, seconds: u64, big: (u64, &Template), small: (u64, &Template)) -> String {
        let (whole, rest) = (seconds / big.0, seconds % big.0 / small.0);
        let first = unit(big.1, &self.number(whole));
        if rest == 0 || whole >= 10 {
            first
        } else {
            format!("{first} {}", unit(small.1, &rest.to_string()))
        }
    }

    /// How long ago, or in how much time, in one unit.
    pub(crate) fn relative(&self, at: Timestamp, now: Timestamp) -> String {
        let (time, future) = if at > now {
            (at.since(now), true)
        } else {
            (now.since(at), false)
        };
        let seconds = time.as_secs();
        let text = match seconds {
            0..=1 => return self.now.to_string(),
            2..=119 => unit(&self.unit_s, &seconds.to_string()),
            120..=7_199 => unit(&self.unit_min, &(seconds / 60).to_string()),
            7_200..=172_799 => unit(&self.unit_h, &(seconds / 3_600).to_string()),
            _ => unit(&self.unit_d, &self.number(seconds / 86_400)),
        };
        let told = if future { &self.in_time } else { &self.ago };
        told.text(&[("time", &text)])
    }

    /// A relative time with the exact one at hand.
    pub(crate) fn time(&self, at: Timestamp, now: Timestamp) -> Markup {
        html! {
            time datetime=(rfc3339(at)) title=(exact(at)) data-relative { (self.relative(at, now)) }
        }
    }

    /// How long it has been going on, with its beginning at hand.
    pub(crate) fn since(&self, at: Timestamp, now: Timestamp) -> Markup {
        html! {
            time datetime=(rfc3339(at)) title=(exact(at)) data-since { (self.duration(now.since(at))) }
        }
    }

    /// A day of this year.
    pub(crate) fn day(&self, date: NaiveDate) -> String {
        let month = self.months[date.month0() as usize];
        let day = date.day().to_string();
        self.day_month.text(&[("day", &day), ("month", month)])
    }

    /// A time with its day of the week.
    pub(crate) fn weekday_and_time<Z: TimeZone>(&self, at: &DateTime<Z>) -> String {
        let weekday = self.weekdays[at.weekday().num_days_from_monday() as usize];
        format!("{weekday} {}", at.naive_local().format("%Y-%m-%d %H:%M:%S"))
    }

    /// A size in bytes.
    #[expect(clippy::cast_precision_loss, reason = "it is rounded anyway")]
    pub(crate) fn bytes(&self, n: u64) -> String {
        match n {
            0..1_024 => format!("{n} B"),
            1_024..1_048_576 => format!("{:.0} KB", n as f64 / 1_024.0),
            1_048_576..1_073_741_824 => format!("{:.0} MB", n as f64 / 1_048_576.0),
            _ => format!("{} GB", self.decimal(n as f64 / 1_073_741_824.0, 1)),
        }
    }

    /// A share in percent; 0 of nothing.
    pub(crate) fn share(&self, part: u64, whole: u64) -> String {
        match whole_percent(part, whole) {
            0 if part > 0 => format!("< {}", unit(&self.percent, "1")),
            percent => unit(&self.percent, &percent.to_string()),
        }
    }

    /// How long the store took, to the microsecond where it was fast.
    pub(crate) fn cost(&self, time: Duration) -> String {
        if time < Duration::from_millis(10) {
            unit(
                &self.unit_ms,
                &self.decimal(time.as_secs_f64() * 1_000.0, 2),
            )
        } else {
            self.duration(time)
        }
    }

    /// A time in milliseconds, with a decimal where it is short.
    pub(crate) fn milliseconds(&self, ms: f64) -> String {
        let digits = usize::from(ms < 100.0 && ms > 0.0);
        unit(&self.unit_ms, &self.decimal(ms, digits))
    }
}

fn unit(template: &Template, n: &str) -> String {
    template.text(&[("n", n)])
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

/// The time of day.
pub(crate) fn clock(at: Timestamp) -> String {
    DateTime::<Utc>::from(at).format("%H:%M").to_string()
}

/// A share in whole percent.
pub(crate) fn whole_percent(part: u64, whole: u64) -> u64 {
    let share = (u128::from(part) * 100).checked_div(u128::from(whole));
    share
        .and_then(|share| u64::try_from(share).ok())
        .unwrap_or(0)
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
    use crate::language::Language;

    const EN: &Words = Language::English.words();

    #[test]
    fn numbers_are_grouped() {
        let cases = [
            (0, "0", "0"),
            (999, "999", "999"),
            (1_000, "1,000", "1,000"),
            (12_345, "12,345", "12.3k"),
            (5_000_000, "5,000,000", "5M"),
            (123_456_789, "123,456,789", "123M"),
            (123_456_789_012, "123,456,789,012", "123G"),
            (u64::MAX, "18,446,744,073,709,551,615", "18446744T"),
        ];
        for (n, long, brief) in cases {
            assert_eq!((&*EN.number(n), &*EN.short(n)), (long, brief));
        }
    }

    #[test]
    fn numbers_are_written_as_their_language_does() {
        let cases = [
            (Language::German, 12_345, "12.345", "12,3k"),
            (Language::French, 1_000, "1\u{202f}000", "1\u{202f}000"),
            (Language::Spanish, 1_000, "1000", "1000"),
            (Language::Polish, 12_345, "12\u{a0}345", "12,3k"),
            (Language::Japanese, 12_000, "12,000", "12k"),
        ];
        for (language, n, long, brief) in cases {
            let words = language.words();
            assert_eq!((&*words.number(n), &*words.short(n)), (long, brief));
        }
        let german = Language::German.words();
        assert_eq!(german.duration(Duration::from_millis(1_250)), "1,2 s");
        let date = NaiveDate::from_ymd_opt(2026, 3, 5).unwrap();
        assert_eq!(german.day(date), "5. März");
        assert_eq!(EN.day(date), "5 Mar");
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
            assert_eq!(EN.duration(Duration::from_millis(ms)), text);
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
            assert_eq!(EN.share(part, whole), text);
        }
        assert_eq!(EN.share(u64::MAX, u64::MAX), "100 %");
        assert_eq!(EN.cost(Duration::from_micros(310)), "0.31 ms");
    }

    #[test]
    fn times_are_relative_both_ways() {
        let now = Timestamp::from_millis(1_795_469_327_000);
        let minutes = |n: u64| Duration::from_secs(60 * n);
        assert_eq!(EN.relative(now, now), "now");
        assert_eq!(EN.relative(now.before(minutes(3)), now), "3 min ago");
        assert_eq!(
            EN.relative(now.after(minutes(60 * 24 * 20)), now),
            "in 20 d"
        );
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("aäb", 2), "aä…");
        assert_eq!(cut("aä", 2), "aä");
    }
}
