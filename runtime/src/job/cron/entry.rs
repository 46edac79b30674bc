//! What is enqueued, and when.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::expression::CronError;
use super::schedule::{CronSchedule, split_zone};
use crate::job::payload::NewJob;
use crate::job::{Definition, Retry, Timestamp, args, check_queue_name};

/// A job that is enqueued by itself.
///
/// ```
/// use sancho::cron::{CatchUp, CronEntry};
///
/// # fn main() -> Result<(), sancho::cron::CronError> {
/// let entry = CronEntry::new("nightly_report", "30 2 * * * Europe/Berlin", "Report")?
///     .args(("full",))?
///     .queue("low")?
///     .catch_up(CatchUp::All(3));
/// assert_eq!(entry.schedule().zone(), "Europe/Berlin");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "an entry does nothing by itself: give it to a server or to the API"]
pub struct CronEntry {
    name: Box<str>,
    schedule: CronSchedule,
    class: Box<str>,
    args: Box<str>,
    queue: Option<Box<str>>,
    retry: Option<Retry>,
    description: Option<Box<str>>,
    date_as_argument: bool,
    enabled: bool,
    catch_up: CatchUp,
    grace: Duration,
}

/// What becomes of ticks that were missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CatchUp {
    /// Nothing: they are given up.
    None,
    /// The last of them is made.
    #[default]
    Last,
    /// So many of the last ones are made, at least one and at most [`MAX_CATCH_UP`].
    All(u32),
}

/// The most ticks of an entry that are made up for at once.
pub const MAX_CATCH_UP: u32 = 1_000;

/// How long ago a tick may have been missed to be made up for, by default.
const GRACE: Duration = Duration::from_secs(60 * 60);

/// The longest grace.
const LONGEST_GRACE: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The longest name, in bytes.
const LONGEST_NAME: usize = 255;

impl CronEntry {
    /// The entry of this name, which enqueues a job of this class (its name on the wire) without arguments at the times of this cron
    /// expression; those are in UTC, unless a zone stands behind it.
    ///
    /// # Errors
    /// A name or class that is empty, too long (255 bytes) or has control characters; an expression that cannot be read.
    pub fn new(
        name: impl Into<String>,
        cron: &str,
        class: impl Into<String>,
    ) -> Result<Self, CronError> {
        let (expression, zone) = split_zone(cron);
        Ok(Self {
            name: checked_name("the name", name.into())?,
            schedule: CronSchedule::new(expression, zone.unwrap_or("UTC"))?,
            class: checked_name("the class", class.into())?,
            args: "[]".into(),
            queue: None,
            retry: None,
            description: None,
            date_as_argument: false,
            enabled: true,
            catch_up: CatchUp::default(),
            grace: GRACE,
        })
    }

    /// The time zone. Defaults to UTC.
    ///
    /// # Errors
    /// A zone that there is not.
    pub fn tz(mut self, zone: &str) -> Result<Self, CronError> {
        self.schedule = CronSchedule::new(self.schedule.expression(), zone)?;
        Ok(self)
    }

    /// The arguments: a tuple, a `Vec`, or whatever else is an array as JSON. Defaults to none.
    ///
    /// # Errors
    /// What is no array, or cannot be the arguments of a job.
    pub fn args(mut self, args: impl Serialize) -> Result<Self, CronError> {
        let text = args::to_array(&args).map_err(|error| CronError(error.to_string()))?;
        args::check(&text).map_err(CronError)?;
        self.args = text.into();
        Ok(self)
    }

    /// The queue. Defaults to that of the job.
    ///
    /// # Errors
    /// A name that no queue can have.
    pub fn queue(mut self, queue: impl Into<String>) -> Result<Self, CronError> {
        let queue = queue.into();
        check_queue_name(&queue).map_err(CronError)?;
        self.queue = Some(queue.into());
        Ok(self)
    }

    /// How often the job is tried again. Defaults to what the job says.
    pub fn retry(mut self, retry: impl Into<Retry>) -> Self {
        self.retry = Some(retry.into());
        self
    }

    /// What people read about it.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into().into());
        self
    }

    /// Gives the time of the push as another argument, the last: float seconds, as sidekiq-cron's `date_as_argument`.
    pub fn date_as_argument(mut self, append: bool) -> Self {
        self.date_as_argument = append;
        self
    }

    /// Whether it is enabled when it is new. One that is known keeps what it is.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// What becomes of ticks that were missed. Defaults to [`CatchUp::Last`].
    pub fn catch_up(mut self, catch_up: CatchUp) -> Self {
        self.catch_up = match catch_up {
            CatchUp::All(count) => CatchUp::All(count.clamp(1, MAX_CATCH_UP)),
            other => other,
        };
        self
    }

    /// How long ago a tick may have been missed to be made up for. Defaults to an hour (sidekiq-cron: a minute); a year at
    /// most.
    pub fn within(mut self, grace: Duration) -> Self {
        self.grace = grace.min(LONGEST_GRACE);
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it comes.
    #[must_use]
    pub fn schedule(&self) -> &CronSchedule {
        &self.schedule
    }

    /// The class of its job.
    #[must_use]
    pub fn class(&self) -> &str {
        &self.class
    }

    /// The arguments: a JSON array.
    #[must_use]
    pub fn args_json(&self) -> &str {
        &self.args
    }

    /// The queue that it names.
    #[must_use]
    pub fn queue_name(&self) -> Option<&str> {
        self.queue.as_deref()
    }

    /// What people read about it.
    #[must_use]
    pub fn description_text(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Whether it is enabled when it is new.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// What becomes of ticks that were missed.
    #[must_use]
    pub fn catches_up(&self) -> CatchUp {
        self.catch_up
    }

    /// How long ago a tick may have been missed to be made up for.
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.grace
    }

    /// The entry of a job with `cron`.
    ///
    /// # Errors
    /// A zone that there is not, with the place of the attribute.
    pub(crate) fn of_job(name: &str, job: &Definition) -> Result<Option<Self>, CronError> {
        let Some(cron) = job.cron else {
            return Ok(None);
        };
        let entry = Self::new(name, cron.expression, job.class)
            .and_then(|entry| entry.tz(cron.tz.unwrap_or("UTC")));
        let entry = entry.map_err(|error| {
            CronError(format!(
                "the job `{}` ({}) cannot be enqueued by itself: {error}",
                job.name, job.location
            ))
        })?;
        Ok(Some(entry.of(job)))
    }

    /// The same, with what it does not say taken from its job.
    pub(crate) fn of(mut self, job: &Definition) -> Self {
        self.queue.get_or_insert_with(|| job.queue.into());
        self.retry.get_or_insert(job.retry);
        self
    }

    /// The job that a tick pushes now. What the entry does not say stays as it is in `job`.
    pub(crate) fn job(&self, mut job: NewJob, now: Timestamp) -> NewJob {
        job.class = self.class.to_string();
        job.args = self.args.to_string();
        if self.date_as_argument {
            let comma = if &*self.args == "[]" { "" } else { "," };
            job.args.truncate(job.args.len() - 1);
            job.args.push_str(&format!("{comma}{now}]"));
        }
        if let Some(queue) = &self.queue {
            job.queue = (&**queue).into();
        }
        if let Some(retry) = self.retry {
            job.retry = retry;
        }
        job
    }
}

fn checked_name(what: &str, name: String) -> Result<Box<str>, CronError> {
    let wrong = if name.trim().is_empty() {
        "is empty".to_owned()
    } else if name.len() > LONGEST_NAME {
        format!("has {} bytes, more than {LONGEST_NAME}", name.len())
    } else if let Some(bad) = name.chars().find(|c| c.is_control()) {
        format!("has the control character {bad:?}")
    } else {
        return Ok(name.into());
    };
    Err(CronError(format!("{what} {wrong}")))
}

/// An entry as it stands in the store, without its name.
#[derive(Serialize, Deserialize)]
struct Stored {
    cron: String,
    tz: String,
    class: String,
    args: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    date_as_argument: bool,
    catch_up: Value,
    /// In seconds.
    grace: u64,
}

impl CronEntry {
    /// What the store keeps of it. Whether it is enabled stands apart.
    pub(crate) fn to_json(&self) -> Result<String, CronError> {
        let no_json = |error: serde_json::Error| CronError(error.to_string());
        let stored = Stored {
            cron: self.schedule.expression().to_owned(),
            tz: self.schedule.zone().to_owned(),
            class: self.class.to_string(),
            args: RawValue::from_string(self.args.to_string()).map_err(no_json)?,
            queue: self.queue.as_deref().map(str::to_owned),
            retry: self.retry.map(|retry| match retry {
                Retry::Default => Value::Bool(true),
                Retry::Never => Value::Bool(false),
                Retry::Times(times) => times.into(),
            }),
            description: self.description.as_deref().map(str::to_owned),
            date_as_argument: self.date_as_argument,
            catch_up: match self.catch_up {
                CatchUp::None => "none".into(),
                CatchUp::Last => "last".into(),
                CatchUp::All(count) => count.into(),
            },
            grace: self.grace.as_secs(),
        };
        serde_json::to_string(&stored).map_err(no_json)
    }

    /// The entry of this name that the store keeps.
    ///
    /// # Errors
    /// What another program wrote and this one cannot read.
    pub(crate) fn from_json(name: &str, json: &[u8]) -> Result<Self, CronError> {
        let stored: Stored =
            serde_json::from_slice(json).map_err(|error| CronError(error.to_string()))?;
        let mut entry = Self::new(name, &stored.cron, stored.class)?
            .tz(&stored.tz)?
            .args(stored.args)?
            .date_as_argument(stored.date_as_argument)
            .catch_up(read_catch_up(&stored.catch_up)?)
            .within(Duration::from_secs(stored.grace));
        if let Some(queue) = stored.queue {
            entry = entry.queue(queue)?;
        }
        if let Some(retry) = stored.retry {
            entry = entry.retry(read_retry(&retry)?);
        }
        entry.description = stored.description.map(Into::into);
        Ok(entry)
    }
}

/// A `retry` as JSON, YAML or TOML has it.
pub(super) fn read_retry(value: &Value) -> Result<Retry, CronError> {
    let times = || value.as_u64().and_then(|times| u32::try_from(times).ok());
    match value {
        Value::Bool(retry) => Ok((*retry).into()),
        _ => times().map(Retry::Times).ok_or_else(|| {
            CronError(format!(
                "it is {value}: write `true`, `false` or how often, from 0 on"
            ))
        }),
    }
}

/// A `catch_up` as JSON, YAML or TOML has it.
pub(super) fn read_catch_up(value: &Value) -> Result<CatchUp, CronError> {
    let count = || value.as_u64().and_then(|count| u32::try_from(count).ok());
    match value.as_str() {
        Some("none") => Ok(CatchUp::None),
        Some("last") => Ok(CatchUp::Last),
        _ => match count() {
            Some(count) if (1..=MAX_CATCH_UP).contains(&count) => Ok(CatchUp::All(count)),
            _ => Err(CronError(format!(
                "it is {value}: write `none`, `last`, or how many at most, from 1 to {MAX_CATCH_UP}"
            ))),
        },
    }
}
