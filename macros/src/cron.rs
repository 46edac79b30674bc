//! The check of `cron = "..."`: the grammar of the runtime's own parser, which a test compares with this.

/// A field: its name, its bounds, how many different values it has, and their names.
struct Field {
    name: &'static str,
    min: u8,
    max: u8,
    count: u8,
    names: &'static [&'static str],
}

/// The six fields, the seconds first.
const FIELDS: [Field; 6] = [
    Field::new("second", 0, 59, 60, &[]),
    Field::new("minute", 0, 59, 60, &[]),
    Field::new("hour", 0, 23, 24, &[]),
    Field::new("day", 1, 31, 31, &[]),
    Field::new("month", 1, 12, 12, &MONTHS),
    Field::new("weekday", 0, 7, 7, &WEEKDAYS),
];

const MONTHS: [&str; 12] = [
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
];

const WEEKDAYS: [&str; 7] = [
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
];

/// How many days each month can have.
const DAYS: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const NICKNAMES: [&str; 8] = [
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@noon",
    "@hourly",
];

/// Checks a cron expression.
///
/// # Errors
/// What is wrong with it, and what to write.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split_ascii_whitespace().collect();
    if let [name] = parts[..]
        && name.starts_with('@')
    {
        return match NICKNAMES.contains(&name) {
            true => Ok(()),
            false => Err(format!(
                "`{name}` is none of the names: write one of {}",
                NICKNAMES.join(", ")
            )),
        };
    }
    if let [_, .., last] = parts[..]
        && parts.len() > 5
        && (last.contains('/') && last.contains(char::is_alphabetic) || last == "UTC")
    {
        let expression = parts[..parts.len() - 1].join(" ");
        return Err(format!(
            "the time zone stands apart: write `cron = \"{expression}\", tz = \"{last}\"`"
        ));
    }
    let fields = match parts.len() {
        5 => &FIELDS[1..],
        6 => &FIELDS[..],
        count => {
            return Err(format!(
                "a cron expression has five fields (minute, hour, day, month, weekday), or six with the second first, and this \
                 one {count}: write \"0 3 * * *\" for every day at 3:00"
            ));
        }
    };
    let mut sets = Vec::with_capacity(6);
    for (field, part) in fields.iter().zip(&parts) {
        sets.push(field.values(part)?);
    }
    let [.., (days, day), (months, _), (_, weekday)] = *sets.as_slice() else {
        return Ok(());
    };
    let comes = DAYS.iter().zip(1..).any(|(last, month)| {
        months >> month & 1 == 1 && days & ((1 << (u32::from(*last) + 1)) - 1) != 0
    });
    match comes || !day && !weekday {
        true => Ok(()),
        false => Err("this time never comes: none of its months has one of its days".to_owned()),
    }
}

impl Field {
    const fn new(
        name: &'static str,
        min: u8,
        max: u8,
        count: u8,
        names: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            min,
            max,
            count,
            names,
        }
    }

    /// The values of a field, a bit each, and whether it begins with `*`.
    fn values(&self, part: &str) -> Result<(u64, bool), String> {
        let mut set = 0;
        for item in part.split(',') {
            set |= self.item(item)?;
        }
        Ok((set, part.starts_with('*')))
    }

    fn item(&self, item: &str) -> Result<u64, String> {
        let (base, step) = match item.split_once('/') {
            Some((base, step)) => (base, Some(self.step(step)?)),
            None => (item, None),
        };
        let highest = self.min + self.count - 1;
        let (first, last) = match base.split_once('-') {
            _ if base == "*" => (self.min, highest),
            Some((first, last)) => (self.value(first)?, self.value(last)?),
            None => {
                let first = self.value(base)?;
                (first, if step.is_some() { highest } else { first })
            }
        };
        // A range may go round: `22-2`. Both 0 and 7 are the Sunday.
        let round = if first > last { self.count } else { 0 };
        let mut set = 0;
        for offset in (0..=last + round - first).step_by(usize::from(step.unwrap_or(1))) {
            set |= 1 << (self.min + (first - self.min + offset) % self.count);
        }
        Ok(set)
    }

    fn step(&self, text: &str) -> Result<u8, String> {
        let most = self.count - 1;
        match number(text) {
            Some(step) if (1..=most).contains(&step) => Ok(step),
            _ => Err(format!(
                "a step of the {} is a number from 1 to {most}, and this one `{text}`: write for instance `*/2`",
                self.name
            )),
        }
    }

    fn value(&self, text: &str) -> Result<u8, String> {
        let (name, min, max) = (self.name, self.min, self.max);
        if let Some(value) = number(text) {
            return match (min..=max).contains(&value) {
                true => Ok(value),
                false => Err(format!("the {name} is {min} to {max}, and this one {text}")),
            };
        }
        let lower = text.to_ascii_lowercase();
        let is = |known: &&str| **known == lower || lower.len() == 3 && known.starts_with(&lower);
        let at = self.names.iter().position(is);
        match at.and_then(|at| u8::try_from(at).ok()) {
            Some(at) => Ok(min + at),
            None => {
                let names = self.names.first().map_or_else(String::new, |first| {
                    format!(", a name such as `{}`", &first[..3])
                });
                Err(format!(
                    "`{text}` is no {name}: write a number from {min} to {max}{names}, `*`, a range (`1-5`), a list (`1,3`) or a \
                     step (`*/2`)"
                ))
            }
        }
    }
}

/// A number of one or two digits; a longer one is none of any field.
fn number(text: &str) -> Option<u8> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u8::MAX))
}
