//! What a payload says.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;

use super::{ApiError, display};
use crate::job::payload::{Fields, Record, Recoveries, read_backtrace, read_object, read_time};
use crate::job::{JobId, Retry, Timestamp};

/// A job as it stands somewhere: everything that its payload says. A payload that is no job has its raw text, and otherwise
/// little to say.
///
/// Times are read in both forms: float seconds (Sidekiq 7 and before) and whole milliseconds (8).
///
/// ```
/// use sancho::api::JobRecord;
///
/// let job = JobRecord::read(r#"{"class":"WelcomeEmail","args":[42,"é"],"jid":"d3ab","retry_count":0,"shard":7}"#);
/// assert_eq!(job.class(), "WelcomeEmail");
/// assert_eq!(job.display_args(), ["42", "\"é\""]);
/// assert_eq!(job.retry_count(), Some(0));
/// assert_eq!(job.extras().collect::<Vec<_>>(), [("shard", "7")]);
///
/// let job = JobRecord::read("{bad json");
/// assert!(job.problem().is_some());
/// assert_eq!(job.text(), "{bad json");
/// ```
#[derive(Clone)]
pub struct JobRecord {
    payload: Bytes,
    /// The top-level fields and their JSON text, in order; a key may stand more than once.
    fields: Vec<(Box<str>, Bytes)>,
    class: Box<str>,
    jid: JobId,
    queue: Box<str>,
}

/// The fields that have a function of their own, or that say how a job runs.
const KNOWN: [&str; 30] = [
    "class",
    "args",
    "jid",
    "queue",
    "retry",
    "retry_for",
    "retry_queue",
    "dead",
    "backtrace",
    "tags",
    "log_level",
    "wrapped",
    "display_class",
    "bid",
    "at",
    "created_at",
    "enqueued_at",
    "failed_at",
    "retried_at",
    "discarded_at",
    "retry_count",
    "error_class",
    "error_message",
    "error_backtrace",
    "encrypt",
    "locale",
    "profile",
    "profiler_options",
    "pool",
    "sancho_recoveries",
];

impl JobRecord {
    /// Reads a payload.
    #[must_use]
    pub fn read(payload: impl Into<Bytes>) -> Self {
        Self::new(payload.into(), None)
    }

    /// Reads a payload that stands in this queue, which counts more than what it says itself.
    pub(super) fn new(payload: Bytes, queue: Option<&str>) -> Self {
        let mut fields: Vec<(Box<str>, Bytes)> = Vec::new();
        let whole = std::str::from_utf8(&payload).is_ok_and(|text| {
            let each = |key: String, json: &str| {
                fields.push((key.into(), payload.slice_ref(json.as_bytes())));
            };
            read_object(text, |key| Some(key.to_owned()), each).is_ok()
        });
        if !whole {
            fields.clear();
        }
        let mut record = Self {
            payload,
            fields,
            class: Box::default(),
            jid: JobId::from_text(""),
            queue: Box::default(),
        };
        record.class = record.string("class").unwrap_or_default().into();
        record.jid = JobId::from_text(record.string("jid").unwrap_or_default());
        let said = record.string("queue").unwrap_or_default();
        record.queue = queue.map_or_else(|| said.into(), Into::into);
        record
    }

    /// The exact bytes, which are its identity.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The payload as text, with replacements where it is none.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.payload)
    }

    /// Why the payload is no job, if it is none.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        Record::parse(self.payload.clone())
            .err()
            .map(|error| error.to_string())
    }

    /// The class on the wire, for an ActiveJob the one that wraps it; empty where there is none.
    #[must_use]
    pub fn class(&self) -> &str {
        &self.class
    }

    /// The id; empty where there is none.
    #[must_use]
    pub fn jid(&self) -> &JobId {
        &self.jid
    }

    /// The queue that it stands in, else the one that it says it goes to; empty where it says none.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// The class as it is to be shown: `display_class`, else what an ActiveJob wraps, a mailer as `UserMailer#welcome`, else
    /// the class.
    #[must_use]
    pub fn display_class(&self) -> String {
        display::class(self)
    }

    /// The arguments as they are to be shown, each as JSON text: those of what an ActiveJob wraps without its marks, a GlobalID as
    /// its text, an encrypted last argument masked.
    #[must_use]
    pub fn display_args(&self) -> Vec<String> {
        display::args(self)
    }

    /// The arguments, as the JSON text of an array.
    #[must_use]
    pub fn args(&self) -> Option<&str> {
        self.field("args")
    }

    /// The batch that it belongs to.
    #[must_use]
    pub fn bid(&self) -> Option<String> {
        self.string("bid")
    }

    /// The tags.
    #[must_use]
    pub fn tags(&self) -> Vec<String> {
        self.value("tags").unwrap_or_default()
    }

    /// When it was first pushed.
    #[must_use]
    pub fn created_at(&self) -> Option<Timestamp> {
        self.time("created_at")
    }

    /// When it came into its queue.
    #[must_use]
    pub fn enqueued_at(&self) -> Option<Timestamp> {
        self.time("enqueued_at")
    }

    /// When it failed first.
    #[must_use]
    pub fn failed_at(&self) -> Option<Timestamp> {
        self.time("failed_at")
    }

    /// When it failed last, if that was not the first time.
    #[must_use]
    pub fn retried_at(&self) -> Option<Timestamp> {
        self.time("retried_at")
    }

    /// When it was discarded.
    #[must_use]
    pub fn discarded_at(&self) -> Option<Timestamp> {
        self.time("discarded_at")
    }

    /// How often it is tried again; `None` where that is left to its class.
    #[must_use]
    pub fn retry(&self) -> Option<Retry> {
        Fields::read(&self.payload)?.retry()
    }

    /// How often it was tried again: 0 after the first failure. One that was tried again by hand has one less, so it may be -1.
    #[must_use]
    pub fn retry_count(&self) -> Option<i64> {
        self.value("retry_count")
    }

    /// The class of its last error.
    #[must_use]
    pub fn error_class(&self) -> Option<String> {
        self.string("error_class")
    }

    /// Its last error.
    #[must_use]
    pub fn error_message(&self) -> Option<String> {
        self.string("error_message")
    }

    /// The lines of the backtrace of its last error, unpacked.
    #[must_use]
    pub fn error_backtrace(&self) -> Option<Vec<String>> {
        match self.string("error_backtrace") {
            Some(packed) => read_backtrace(&packed),
            // Before Sidekiq 6 it was not packed.
            None => self.value("error_backtrace"),
        }
    }

    /// How often it was recovered from a process that died.
    #[must_use]
    pub fn recoveries(&self) -> Option<Recoveries> {
        self.value("sancho_recoveries")
    }

    /// How long it has waited at `now`, since it came into its queue, else since it was pushed.
    #[must_use]
    pub fn latency(&self, now: Timestamp) -> Option<Duration> {
        let since = self.enqueued_at().or_else(|| self.created_at())?;
        Some(now.since(since))
    }

    /// A field, as JSON text. Where it stands more than once, its last value counts, as in Ruby.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let (_, json) = self.fields.iter().rev().find(|(key, _)| **key == *name)?;
        // It is part of a text.
        std::str::from_utf8(json).ok()
    }

    /// All fields and their JSON text, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = |(key, json)| Some((key, std::str::from_utf8(json).ok()?));
        self.fields
            .iter()
            .map(|(key, json)| (&**key, &**json))
            .filter_map(text)
    }

    /// What was current when it was pushed: the fields `cattr`, `cattr_1` and so on, and their JSON text.
    pub fn context(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields().filter(|(key, _)| is_context(key))
    }

    /// The fields that neither Sidekiq nor Sancho knows, and their JSON text, in order.
    pub fn extras(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields()
            .filter(|(key, _)| !KNOWN.contains(key) && !is_context(key))
    }

    /// A field that is a string.
    pub(super) fn string(&self, name: &str) -> Option<String> {
        self.value(name)
    }

    /// A field of a type; nothing, where it is of another.
    pub(super) fn value<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Option<T> {
        serde_json::from_str(self.field(name)?).ok()
    }

    fn time(&self, name: &str) -> Option<Timestamp> {
        read_time(self.field(name)?)
    }

    /// Refuses what is no job.
    pub(super) fn checked(self) -> Result<Self, ApiError> {
        match self.problem() {
            Some(problem) => Err(ApiError::Invalid(problem)),
            None => Ok(self),
        }
    }
}

impl fmt::Debug for JobRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JobRecord").field(&self.text()).finish()
    }
}

fn is_context(key: &str) -> bool {
    key == "cattr" || key.starts_with("cattr_")
}

#[cfg(test)]
mod tests;
