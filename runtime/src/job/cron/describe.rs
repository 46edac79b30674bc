//! What an expression means, in words.

use super::expression::{Fields, has};

/// How many values are named one by one; of more, the rest is counted.
const NAMED: usize = 8;

/// Up to so many times of a day are written as on a clock.
const CLOCK_TIMES: usize = 4;

const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Such as `every day at 03:00`, or `at 0 and 30 minutes past every hour, Monday to Friday`: of a few hundred characters at most.
pub(super) fn describe(fields: &Fields) -> String {
    let times = Times::of(fields);
    let days = days(fields);
    match (times.on_the_clock(), days) {
        (Some(clock), days) => {
            let days = days.unwrap_or_else(|| "every day".to_owned());
            format!("{days} at {clock}")
        }
        (None, Some(days)) => format!("{}, {days}", times.within_a_day()),
        (None, None) => times.within_a_day(),
    }
}

/// What is asked for of the time of day.
struct Times {
    seconds: Set,
    minutes: Set,
    hours: Set,
}

impl Times {
    fn of(fields: &Fields) -> Self {
        Self {
            seconds: Set::new(fields.seconds, 0, 60),
            minutes: Set::new(fields.minutes, 0, 60),
            hours: Set::new(fields.hours, 0, 24),
        }
    }

    /// The times one by one, where they are few, and not better told by how often they come.
    fn on_the_clock(&self) -> Option<String> {
        let count = self.seconds.len() * self.minutes.len() * self.hours.len();
        if count > CLOCK_TIMES || self.hours.step().is_some() {
            return None;
        }
        let mut times = Vec::new();
        for hour in self.hours.values() {
            for minute in self.minutes.values() {
                for second in self.seconds.values() {
                    times.push(if self.seconds.is_zero() {
                        format!("{hour:02}:{minute:02}")
                    } else {
                        format!("{hour:02}:{minute:02}:{second:02}")
                    });
                }
            }
        }
        Some(join(&times))
    }

    fn within_a_day(&self) -> String {
        if !self.seconds.is_zero() {
            return self.by_seconds();
        }
        if let Some(minutes) = self.minutes.how_often("minute") {
            return format!("{minutes}{}", self.during_hours());
        }
        if self.minutes.is_zero() {
            if let Some(hours) = self.hours.how_often("hour") {
                return hours;
            }
            if let Some((first, last)) = self.hours.range() {
                return format!("every hour from {first:02}:00 to {last:02}:00");
            }
        }
        let one = self.minutes.is_one();
        let minutes = self.minutes.list();
        let minutes = format!("at {minutes} minute{} past", if one { "" } else { "s" });
        if self.hours.is_full() {
            return format!("{minutes} every hour");
        }
        format!("{minutes} the {}", self.hours.named("hour"))
    }

    fn by_seconds(&self) -> String {
        let often = self.seconds.how_often("second");
        let seconds = often.unwrap_or_else(|| format!("at {}", self.seconds.named("second")));
        let minutes = match self.minutes.how_often("minute") {
            Some(_) if self.minutes.is_full() && seconds.starts_with("every") => String::new(),
            Some(minutes) => format!(" of {minutes}"),
            None => format!(" of {}", self.minutes.named("minute")),
        };
        format!("{seconds}{minutes}{}", self.during_hours())
    }

    /// Within which hours something comes again and again.
    fn during_hours(&self) -> String {
        if self.hours.is_full() {
            return String::new();
        }
        match self.hours.range() {
            Some((first, last)) => format!(" from {first:02}:00 to {last:02}:59"),
            None => format!(" in the {}", self.hours.named("hour")),
        }
    }
}

/// On which days it comes, where those are not all.
fn days(fields: &Fields) -> Option<String> {
    let days = Set::new(fields.days, 1, 31);
    let weekdays = Set::new(fields.weekdays, 0, 7);
    let months = Set::new(fields.months, 1, 12);
    let of_months = match months.is_full() {
        true => "every month".to_owned(),
        false => months.in_words(|month| MONTHS[month - 1].to_owned()),
    };
    let ordinals = || format!("on the {}", days.in_words(ordinal));
    // Of two fields one is enough, and one that is full is always enough then.
    let every_day = fields.either_day && (days.is_full() || weekdays.is_full());
    Some(match (days.is_full(), weekdays.is_full()) {
        _ if every_day && months.is_full() => return None,
        (true, true) if months.is_full() => return None,
        (true, false) if !every_day => {
            let weekdays = on_weekdays(&weekdays);
            if months.is_full() {
                weekdays
            } else {
                format!("{weekdays} in {of_months}")
            }
        }
        (false, true) if !every_day => format!("{} of {of_months}", ordinals()),
        (false, false) if fields.either_day => {
            format!(
                "{} and {} of {of_months}",
                ordinals(),
                on_weekdays(&weekdays)
            )
        }
        (false, false) => {
            let weekdays = weekdays.in_words(weekday);
            format!("{} of {of_months} that are a {weekdays}", ordinals())
        }
        _ => format!("every day in {of_months}"),
    })
}

fn on_weekdays(weekdays: &Set) -> String {
    let names = weekdays.in_words(weekday);
    if weekdays.len() == 1 {
        format!("every {names}")
    } else if weekdays.range().is_some() {
        names
    } else {
        format!("on {names}")
    }
}

fn weekday(day: usize) -> String {
    WEEKDAYS[day].to_owned()
}

fn ordinal(day: usize) -> String {
    let ending = match (day / 10, day % 10) {
        (1, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{day}{ending}")
}

/// The values of a field.
struct Set {
    values: Vec<usize>,
    min: usize,
    /// How many there can be.
    count: usize,
}

impl Set {
    fn new(bits: u64, min: u32, count: u32) -> Self {
        let values = (min..min + count).filter(|value| has(bits, *value));
        Self {
            values: values.map(|value| value as usize).collect(),
            min: min as usize,
            count: count as usize,
        }
    }

    fn values(&self) -> impl Iterator<Item = usize> {
        self.values.iter().copied()
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    fn is_full(&self) -> bool {
        self.len() == self.count
    }

    fn is_zero(&self) -> bool {
        self.values == [0]
    }

    fn is_one(&self) -> bool {
        self.values == [1]
    }

    /// `every minute` or `every 15 minutes`, where the time between two is always the same.
    fn how_often(&self, unit: &str) -> Option<String> {
        if self.is_full() {
            return Some(format!("every {unit}"));
        }
        self.step().map(|step| format!("every {step} {unit}s"))
    }

    /// The step between at least three values that go round evenly.
    fn step(&self) -> Option<usize> {
        let step = self.count / self.len().max(1);
        let even = (0..self.count).step_by(step.max(1));
        (self.len() > 2 && step > 1 && self.values().eq(even)).then_some(step)
    }

    /// The first and the last of at least three that follow each other, and may go round.
    fn range(&self) -> Option<(usize, usize)> {
        if self.len() < 3 || self.is_full() {
            return None;
        }
        let next = |value: usize| (value - self.min + 1) % self.count + self.min;
        let mut starts = self
            .values()
            .filter(|value| !self.values().any(|before| next(before) == *value));
        let (first, None) = (starts.next()?, starts.next()) else {
            return None;
        };
        let last = (first - self.min + self.len() - 1) % self.count + self.min;
        Some((first, last))
    }

    /// `hour 3`, or `hours 8 to 17`.
    fn named(&self, unit: &str) -> String {
        let plural = if self.len() == 1 { "" } else { "s" };
        format!("{unit}{plural} {}", self.list())
    }

    fn list(&self) -> String {
        self.in_words(|value| value.to_string())
    }

    /// The values as `3`, `8 to 17` or `1, 3 and 5`.
    fn in_words(&self, word: impl Fn(usize) -> String) -> String {
        if let Some((first, last)) = self.range() {
            return format!("{} to {}", word(first), word(last));
        }
        let rest = self.len().saturating_sub(NAMED);
        // One more is as short as its count.
        let named = if rest > 1 { NAMED } else { self.len() };
        let mut words: Vec<_> = self.values().take(named).map(word).collect();
        if named < self.len() {
            words.push(format!("{rest} more"));
        }
        join(&words)
    }
}

fn join(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn expressions_are_put_into_words() {
        for (expression, words) in [
            ("0 3 * * *", "every day at 03:00"),
            ("@daily", "every day at 00:00"),
            ("@hourly", "every hour"),
            ("@weekly", "every Sunday at 00:00"),
            ("@yearly", "on the 1st of January at 00:00"),
            ("* * * * *", "every minute"),
            ("*/15 * * * *", "every 15 minutes"),
            ("*/5 8-17 * * *", "every 5 minutes from 08:00 to 17:59"),
            ("* 22-2 * * *", "every minute from 22:00 to 02:59"),
            ("* 1,5 * * *", "every minute in the hours 1 and 5"),
            (
                "0,30 * * * 1-5",
                "at 0 and 30 minutes past every hour, Monday to Friday",
            ),
            ("1 * * * *", "at 1 minute past every hour"),
            (
                "*/7 * * * *",
                "at 0, 7, 14, 21, 28, 35, 42, 49 and 56 minutes past every hour",
            ),
            ("0 */6 * * *", "every 6 hours"),
            ("0 8-18 * * *", "every hour from 08:00 to 18:00"),
            ("15 8-18 * * *", "at 15 minutes past the hours 8 to 18"),
            ("0 0,12 * * *", "every day at 00:00 and 12:00"),
            (
                "30 9,17 * * sat,sun",
                "on Sunday and Saturday at 09:30 and 17:30",
            ),
            ("0 9 * * fri-mon", "Friday to Monday at 09:00"),
            ("0 0 1 * *", "on the 1st of every month at 00:00"),
            (
                "0 0 1,15 * *",
                "on the 1st and 15th of every month at 00:00",
            ),
            (
                "0 0 21-23 6,7 *",
                "on the 21st to 23rd of June and July at 00:00",
            ),
            ("0 9 * 1-3 *", "every day in January to March at 09:00"),
            ("0 9 * 12 fri", "every Friday in December at 09:00"),
            (
                "0 0 13 * fri",
                "on the 13th and every Friday of every month at 00:00",
            ),
            ("0 0 1-31 * fri", "every day at 00:00"),
            ("0 0 1-31 2 fri", "every day in February at 00:00"),
            (
                "0 0 */13 * 5",
                "on the 1st, 14th and 27th of every month that are a Friday at 00:00",
            ),
            ("30 59 23 31 12 *", "on the 31st of December at 23:59:30"),
            ("*/10 * * * * *", "every 10 seconds"),
            ("15,45 * * * * *", "at seconds 15 and 45 of every minute"),
            (
                "* */20 0-3 * * *",
                "every second of every 20 minutes from 00:00 to 03:59",
            ),
            (
                "0-58 0 3 * * *",
                "at seconds 0 to 58 of minute 0 in the hour 3",
            ),
        ] {
            let fields = Fields::parse(expression).unwrap();
            assert_eq!(describe(&fields), words, "{expression}");
        }
    }

    proptest! {
        #[test]
        fn words_are_few(seconds: u64, minutes: u64, hours: u64, days: u64, months: u64, weekdays: u64, either_day: bool) {
            let bits = |bits: u64, min: u32, count: u32| {
                let all = ((1_u64 << count) - 1) << min;
                if bits & all == 0 { 1 << min } else { bits & all }
            };
            let fields = Fields {
                seconds: bits(seconds, 0, 60),
                minutes: bits(minutes, 0, 60),
                hours: bits(hours, 0, 24),
                days: bits(days, 1, 31),
                months: bits(months, 1, 12),
                weekdays: bits(weekdays, 0, 7),
                either_day,
                is_interval: false,
            };
            let words = describe(&fields);
            prop_assert!((10..500).contains(&words.len()), "{}", words);
        }
    }
}
