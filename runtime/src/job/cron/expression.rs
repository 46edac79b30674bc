//! Reading a cron expression. The macro checks the same grammar with a file of its own; a test compares the two.

/// What an expression asks for: for each field, a bit for each value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) seconds: u64,
    pub(super) minutes: u64,
    pub(super) hours: u64,
    pub(super) days: u64,
    pub(super) months: u64,
    /// Sunday is 0.
    pub(super) weekdays: u64,
    /// Whether a day needs to match only one of its two fields, since both say something.
    pub(super) either_day: bool,
    /// Whether a field of the time of day is `*` or a step, so that it goes by the time that passes.
    pub(super) is_interval: bool,
}

/// A cron expression, or what belongs to one, that cannot be used. Its text says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CronError(pub(super) String);

/// The values that a field can have.
struct Bounds {
    field: &'static str,
    min: u8,
    max: u8,
    /// How many different values there are: both 0 and 7 are the Sunday.
    count: u8,
    names: &'static [&'static str],
}

const SECONDS: Bounds = Bounds {
    field: "second",
    min: 0,
    max: 59,
    count: 60,
    names: &[],
};

const MINUTES: Bounds = Bounds {
    field: "minute",
    ..SECONDS
};

const HOURS: Bounds = Bounds {
    field: "hour",
    max: 23,
    count: 24,
    ..SECONDS
};

const DAYS: Bounds = Bounds {
    field: "day",
    min: 1,
    max: 31,
    count: 31,
    names: &[],
};

const MONTHS: Bounds = Bounds {
    field: "month",
    min: 1,
    max: 12,
    count: 12,
    names: &[
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ],
};

const WEEKDAYS: Bounds = Bounds {
    field: "weekday",
    min: 0,
    max: 7,
    count: 7,
    names: &[
        "sunday",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
    ],
};

/// What the names stand for.
const NICKNAMES: [(&str, &str); 8] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@noon", "0 12 * * *"),
    ("@hourly", "0 * * * *"),
];

impl Fields {
    pub(super) fn parse(text: &str) -> Result<Self, CronError> {
        let mut parts: Vec<_> = text.split_ascii_whitespace().collect();
        if let [name] = parts[..]
            && name.starts_with('@')
        {
            let (_, meaning) = NICKNAMES
                .iter()
                .find(|(nickname, _)| *nickname == name)
                .ok_or_else(|| unknown_nickname(name))?;
            parts = meaning.split_ascii_whitespace().collect();
        }
        let (second, rest) = match parts[..] {
            [_, _, _, _, _] => ("0", &parts[..]),
            [second, _, _, _, _, last] if !is_zone(last) => (second, &parts[1..]),
            [.., last] if parts.len() > 5 && is_zone(last) => {
                return Err(zone_apart(&parts, last));
            }
            _ => return Err(field_count(parts.len())),
        };
        let [minute, hour, day, month, weekday] = *rest else {
            return Err(field_count(parts.len()));
        };
        let fields = Self {
            seconds: SECONDS.set(second)?,
            minutes: MINUTES.set(minute)?,
            hours: HOURS.set(hour)?,
            days: DAYS.set(day)?,
            months: MONTHS.set(month)?,
            weekdays: WEEKDAYS.set(weekday)?,
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
            is_interval: [second, minute, hour]
                .iter()
                .any(|part| part.contains(['*', '/'])),
        };
        if fields.comes() {
            Ok(fields)
        } else {
            let never = "this time never comes: none of its months has one of its days";
            Err(CronError(never.to_owned()))
        }
    }

    /// Whether there is a day that it asks for. A weekday comes in every month.
    fn comes(&self) -> bool {
        /// Those with 30 days, and February.
        const SHORT: [(u8, u32); 5] = [(2, 29), (4, 30), (6, 30), (9, 30), (11, 30)];
        self.either_day
            || (1..=12_u8).any(|month| {
                let short = SHORT.iter().find(|(short, _)| *short == month);
                let last = short.map_or(31, |(_, last)| *last);
                has(self.months, month.into())
                    && next_in(self.days, 1).is_some_and(|day| day <= last)
            })
    }
}

/// Whether a set has this value.
pub(super) fn has(set: u64, value: u32) -> bool {
    set >> value & 1 == 1
}

/// The first value of a set from this one on.
pub(super) fn next_in(set: u64, from: u32) -> Option<u32> {
    let rest = set.checked_shr(from).filter(|rest| *rest != 0)?;
    Some(from + rest.trailing_zeros())
}

impl Bounds {
    fn set(&self, part: &str) -> Result<u64, CronError> {
        let mut items = part.split(',').map(|item| self.item(item));
        items.try_fold(0, |set, item| Ok(set | item?))
    }

    fn item(&self, item: &str) -> Result<u64, CronError> {
        let (base, step) = match item.split_once('/') {
            Some((base, step)) => (base, Some(self.step(step)?)),
            None => (item, None),
        };
        let highest = self.min + self.count - 1;
        let (first, last) = if base == "*" {
            (self.min, highest)
        } else if let Some((first, last)) = base.split_once('-') {
            (self.value(first)?, self.value(last)?)
        } else {
            let value = self.value(base)?;
            (value, step.map_or(value, |_| highest))
        };
        // A range may go round, as `22-2` does.
        let end = if first > last {
            last + self.count
        } else {
            last
        };
        let values = (first..=end).step_by(step.unwrap_or(1).into());
        Ok(values.fold(0, |set, value| {
            set | 1 << ((value - self.min) % self.count + self.min)
        }))
    }

    fn step(&self, text: &str) -> Result<u8, CronError> {
        let most = self.count - 1;
        let step = number(text).filter(|step| (1..=most).contains(step));
        step.ok_or_else(|| {
            CronError(format!(
                "a step of the {} is a number from 1 to {most}, and this one `{text}`: write for instance `*/2`",
                self.field
            ))
        })
    }

    fn value(&self, text: &str) -> Result<u8, CronError> {
        let (field, min, max) = (self.field, self.min, self.max);
        if let Some(value) = number(text) {
            if (min..=max).contains(&value) {
                return Ok(value);
            }
            return Err(CronError(format!(
                "the {field} is {min} to {max}, and this one {text}"
            )));
        }
        self.named(text).ok_or_else(|| {
            let names = self.names.first().map_or_else(String::new, |first| {
                format!(", a name such as `{}`", &first[..3])
            });
            CronError(format!(
                "`{text}` is no {field}: write a number from {min} to {max}{names}, `*`, a range (`1-5`), a list (`1,3`) or a step \
                 (`*/2`)"
            ))
        })
    }

    /// The value of a name, which may be cut to three letters.
    fn named(&self, text: &str) -> Option<u8> {
        let text = text.to_ascii_lowercase();
        let mut values = (self.min..).zip(self.names);
        let found =
            values.find(|(_, name)| **name == text || text.len() == 3 && name.starts_with(&text));
        found.map(|(value, _)| value)
    }
}

/// A number, of which more than three digits are too many for any field.
fn number(text: &str) -> Option<u8> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u8::MAX))
}

/// Whether this looks like the name of a time zone, which no field does.
fn is_zone(text: &str) -> bool {
    text.contains('/') && text.contains(char::is_alphabetic) || text == "UTC"
}

fn unknown_nickname(name: &str) -> CronError {
    let names = NICKNAMES.map(|(nickname, _)| nickname).join(", ");
    CronError(format!(
        "`{name}` is none of the names: write one of {names}"
    ))
}

fn zone_apart(parts: &[&str], zone: &str) -> CronError {
    let expression = parts[..parts.len() - 1].join(" ");
    CronError(format!(
        "the time zone stands apart: write `cron = \"{expression}\", tz = \"{zone}\"`"
    ))
}

fn field_count(count: usize) -> CronError {
    CronError(format!(
        "a cron expression has five fields (minute, hour, day, month, weekday), or six with the second first, and this one \
         {count}: write \"0 3 * * *\" for every day at 3:00"
    ))
}
