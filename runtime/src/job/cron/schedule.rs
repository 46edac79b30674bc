//! When an expression comes true, in a time zone.
//!
//! Time is gone through in stretches in which the zone's offset stays the same: within one, wall time and time go alike, and
//! what clocks do at its beginning is looked at once. So there is no search among instants that do not exist.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, FixedOffset, NaiveDate, Offset as _, TimeZone as _, Utc};
use chrono_tz::Tz;

use super::describe::describe;
use super::expression::{CronError, Fields, has, next_in};
use crate::job::Timestamp;

/// A cron expression in a time zone: a series of times, each of a whole second. See the [module](super) for its rules.
///
/// ```
/// use sancho::cron::CronSchedule;
/// use sancho::job::Timestamp;
///
/// # fn main() -> Result<(), sancho::cron::CronError> {
/// let schedule = CronSchedule::new("0 3 * * mon-fri", "Europe/Berlin")?;
/// let next = schedule.next_after(Timestamp::from_wall_clock());
/// assert!(next.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct CronSchedule {
    text: Box<str>,
    fields: Fields,
    zone: Tz,
}

/// How far it is looked ahead, in seconds: a century, in which even the 29th of February of a leap year that is a Sunday comes.
const HORIZON: i64 = 100 * 366 * DAY;

const DAY: i64 = 24 * 60 * 60;

impl CronSchedule {
    /// This expression in this zone: `"UTC"`, or a name such as `"Europe/Berlin"`.
    ///
    /// # Errors
    /// An expression that cannot be read, or never comes; a zone that there is not.
    pub fn new(expression: &str, zone: &str) -> Result<Self, CronError> {
        Ok(Self {
            fields: Fields::parse(expression)?,
            text: expression.trim().into(),
            zone: zone_named(zone)?,
        })
    }

    /// The expression, as it was given.
    #[must_use]
    pub fn expression(&self) -> &str {
        &self.text
    }

    /// The name of the time zone.
    #[must_use]
    pub fn zone(&self) -> &'static str {
        self.zone.name()
    }

    /// What the expression means in words, without the zone: a few hundred characters at most.
    ///
    /// ```
    /// # use sancho::cron::CronSchedule;
    /// # fn main() -> Result<(), sancho::cron::CronError> {
    /// let schedule = CronSchedule::new("0,30 * * * mon-fri", "UTC")?;
    /// assert_eq!(schedule.describe(), "at 0 and 30 minutes past every hour, Monday to Friday");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn describe(&self) -> String {
        describe(&self.fields)
    }

    /// A time as clocks show it in the zone.
    #[must_use]
    pub fn in_zone(&self, at: Timestamp) -> DateTime<FixedOffset> {
        let at: DateTime<Utc> = at.into();
        at.with_timezone(&self.zone).fixed_offset()
    }

    /// The first time after `after`; `None` where none comes within a century.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let mut from = after.as_micros().div_euclid(1_000_000) + 1;
        let horizon = from.saturating_add(HORIZON);
        loop {
            let offset = self.offset(from)?;
            let before = self.offset(from - 1)?;
            // The wall times that were left out a moment ago come now, together.
            if before < offset && self.wall(from + before, from + offset).is_some() {
                return Some(at(from));
            }
            let mut wall = from + offset;
            if !self.fields.is_interval {
                wall = wall.max(self.repeated_until(from, offset)?);
            }
            let next = self.wall(wall, horizon.saturating_add(DAY))? - offset;
            match self.change_within(from, next, offset)? {
                None => return (next <= horizon).then(|| at(next)),
                Some(change) => from = change,
            }
        }
    }

    /// The next times after `after`, at most `count`.
    #[must_use]
    pub fn next_times(&self, after: Timestamp, count: usize) -> Vec<Timestamp> {
        let next = |last: &Timestamp| self.next_after(*last);
        std::iter::successors(self.next_after(after), next)
            .take(count)
            .collect()
    }

    /// The last times after `after` up to `until`, that included, in order: at most `count`.
    #[must_use]
    pub fn last_times(&self, after: Timestamp, until: Timestamp, count: usize) -> Vec<Timestamp> {
        let mut reach = 1_000_000_i64;
        loop {
            let from = until.as_micros().saturating_sub(reach);
            let from = Timestamp::from_micros(from).max(after);
            let mut times = Vec::new();
            let mut last = from;
            while let Some(next) = self.next_after(last).filter(|next| *next <= until) {
                times.push(next);
                last = next;
            }
            if times.len() >= count || from == after || after >= until {
                return times.split_off(times.len().saturating_sub(count));
            }
            reach = reach.saturating_mul(2);
        }
    }

    /// The first wall time that matches, from `from` on and before `until`: seconds since the epoch, as if in UTC.
    fn wall(&self, from: i64, until: i64) -> Option<i64> {
        let start = DateTime::from_timestamp(from, 0)?.naive_utc();
        let (mut date, mut second) = (start.date(), u32::try_from(from.rem_euclid(DAY)).ok()?);
        loop {
            let midnight = date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp();
            if midnight >= until {
                return None;
            }
            if !has(self.fields.months, date.month()) {
                let (year, month) = (date.year(), date.month());
                date = match month {
                    12 => NaiveDate::from_ymd_opt(year + 1, 1, 1)?,
                    _ => NaiveDate::from_ymd_opt(year, month + 1, 1)?,
                };
            } else {
                if self.is_day(date)
                    && let Some(second) = self.second_of_day(second)
                {
                    let wall = midnight + i64::from(second);
                    return (wall < until).then_some(wall);
                }
                date = date.checked_add_days(Days::new(1))?;
            }
            second = 0;
        }
    }

    fn is_day(&self, date: NaiveDate) -> bool {
        let day = has(self.fields.days, date.day());
        let weekday = has(self.fields.weekdays, date.weekday().num_days_from_sunday());
        match self.fields.either_day {
            true => day || weekday,
            false => day && weekday,
        }
    }

    /// The first second of a day that matches, from `from` on.
    fn second_of_day(&self, from: u32) -> Option<u32> {
        let Fields {
            seconds,
            minutes,
            hours,
            ..
        } = self.fields;
        let (hour, minute, second) = (from / 3_600, from / 60 % 60, from % 60);
        let within_minute = || {
            let second = next_in(seconds, second)?;
            Some((hour, minute, second))
        };
        let within_hour = || {
            let minute = next_in(minutes, minute + 1)?;
            Some((hour, minute, next_in(seconds, 0)?))
        };
        let within_day = || {
            let hour = next_in(hours, hour + 1)?;
            Some((hour, next_in(minutes, 0)?, next_in(seconds, 0)?))
        };
        let is_hour = has(hours, hour);
        let in_minute = (is_hour && has(minutes, minute)).then(within_minute);
        let (hour, minute, second) = in_minute
            .flatten()
            .or_else(|| is_hour.then(within_hour).flatten())
            .or_else(within_day)?;
        Some(hour * 3_600 + minute * 60 + second)
    }

    /// How much the wall clock is ahead of UTC, in seconds.
    fn offset(&self, at: i64) -> Option<i64> {
        let utc = DateTime::from_timestamp(at, 0)?.naive_utc();
        let offset = self.zone.offset_from_utc_datetime(&utc);
        Some(offset.fix().local_minus_utc().into())
    }

    /// Up to when wall times from `from` on were there before, since the clock was set back; no later than `from`'s where they
    /// were not. Clocks are set by a day at most.
    fn repeated_until(&self, from: i64, offset: i64) -> Option<i64> {
        let earlier = self.offset(from - DAY)?;
        if earlier <= offset {
            return Some(i64::MIN);
        }
        let change = self.bisect(from - DAY, from, earlier)?;
        Some(change + self.offset(change - 1)?)
    }

    /// When the offset changes after `from`, up to `until`.
    fn change_within(&self, from: i64, until: i64, offset: i64) -> Option<Option<i64>> {
        /// Clocks are not set and set back within so short a time.
        const STRIDE: i64 = DAY / 2;
        let mut known = from;
        while known < until {
            let next = (known + STRIDE).min(until);
            if self.offset(next)? != offset {
                return Some(Some(self.bisect(known, next, offset)?));
            }
            known = next;
        }
        Some(None)
    }

    /// The moment between these from which on the offset is another than `before`, which it is at the first and not at the second.
    fn bisect(&self, mut before_at: i64, mut after_at: i64, before: i64) -> Option<i64> {
        while after_at - before_at > 1 {
            let middle = before_at + (after_at - before_at) / 2;
            match self.offset(middle)? == before {
                true => before_at = middle,
                false => after_at = middle,
            }
        }
        Some(after_at)
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds.saturating_mul(1_000_000))
}

/// The zone of this name.
fn zone_named(name: &str) -> Result<Tz, CronError> {
    Tz::from_str(name).map_err(|_| {
        CronError(format!(
            "there is no time zone {name:?}: write a name of the IANA data base such as \"Europe/Berlin\", or \"UTC\""
        ))
    })
}

/// The expression and the zone of a text that may end in a zone, as those of Ruby's Fugit may.
pub(super) fn split_zone(text: &str) -> (&str, Option<&str>) {
    let text = text.trim();
    match text.rsplit_once(|c: char| c.is_ascii_whitespace()) {
        Some((expression, zone)) if Tz::from_str(zone).is_ok() => {
            (expression.trim_end(), Some(zone))
        }
        _ => (text, None),
    }
}

impl fmt::Display for CronSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.zone {
            Tz::UTC => f.write_str(&self.text),
            zone => write!(f, "{} {}", self.text, zone.name()),
        }
    }
}

impl fmt::Debug for CronSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CronSchedule({self})")
    }
}
