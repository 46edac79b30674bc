//! What the fields of a payload say.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;

use super::object::read_object;
use super::{Attempts, read_backtrace, read_time};
use crate::job::{Backtrace, Retry, Timestamp};

macro_rules! fields {
    ($($name:ident)*) => {
        /// The fields that Sidekiq knows and one of ours, as JSON text.
        #[derive(Clone, Copy, Debug, Default)]
        struct Raw<'a> {
            $($name: Option<&'a str>,)*
        }

        #[expect(non_camel_case_types, reason = "each is named as the field is on the wire")]
        enum Name {
            $($name,)*
        }

        impl Name {
            fn of(key: &str) -> Option<Self> {
                match key {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }
        }

        impl<'a> Raw<'a> {
            fn set(&mut self, name: &Name, json: &'a str) {
                match name {
                    $(Name::$name => self.$name = Some(json),)*
                }
            }
        }
    };
}

fields! {
    class args jid queue retry retry_for retry_queue dead backtrace tags wrapped display_class bid
    created_at enqueued_at failed_at retried_at discarded_at
    retry_count error_class error_message error_backtrace
    sancho_attempts
}

/// The fields of a payload that matter when a job fails, or that are shown: found in one pass, each read when it is asked
/// for.
///
/// A value of a type that Sidekiq does not write is read as Ruby would take it, or as if it was not there; it is no
/// reason to refuse a job.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fields<'a>(Raw<'a>);

impl<'a> Fields<'a> {
    /// Reads a payload; `None` where it is no JSON object in UTF-8.
    #[must_use]
    pub fn read(payload: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(payload).ok()?;
        let mut raw = Raw::default();
        read_object(text, Name::of, |name, json| raw.set(&name, json)).ok()?;
        Some(Self(raw))
    }

    /// `class`.
    #[must_use]
    pub fn class(&self) -> Option<Cow<'a, str>> {
        self.0.class.and_then(string)
    }

    /// `args`, as JSON text.
    #[must_use]
    pub fn args(&self) -> Option<&'a str> {
        self.0.args
    }

    /// `jid`.
    #[must_use]
    pub fn jid(&self) -> Option<Cow<'a, str>> {
        self.0.jid.and_then(string)
    }

    /// `queue`: where it was pushed to, or, after a failure, where its next try goes. `None` where it is empty.
    #[must_use]
    pub fn queue(&self) -> Option<Cow<'a, str>> {
        self.0.queue.and_then(name)
    }

    /// `retry`; `None` where it is absent or `null`, so that the job's own option counts. Everything that Ruby takes for
    /// true and that is no integer is [`Retry::Default`], a negative number is zero.
    #[must_use]
    pub fn retry(&self) -> Option<Retry> {
        match self.0.retry? {
            "null" => None,
            "false" => Some(Retry::Never),
            json => Some(integer(json).map_or(Retry::Default, |times| {
                Retry::Times(u32::try_from(times.max(0)).unwrap_or(u32::MAX))
            })),
        }
    }

    /// `retry_for`: for how long after its first failure it is tried again, whatever the number of tries. A negative time
    /// is zero.
    #[must_use]
    pub fn retry_for(&self) -> Option<Duration> {
        let seconds: f64 = self.0.retry_for.and_then(read)?;
        Some(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX))
    }

    /// `retry_queue`: where it is tried again. `None` where it is empty.
    #[must_use]
    pub fn retry_queue(&self) -> Option<Cow<'a, str>> {
        self.0.retry_queue.and_then(name)
    }

    /// Whether it is kept in the dead set at its end: unless `dead` is `false`.
    #[must_use]
    pub fn is_kept_when_dead(&self) -> bool {
        self.0.dead != Some("false")
    }

    /// `backtrace`: how much of one is written at a failure.
    #[must_use]
    pub fn backtrace(&self) -> Backtrace {
        match self.0.backtrace.unwrap_or("null") {
            "null" | "false" => Backtrace::None,
            "true" => Backtrace::All,
            json => {
                let lines = integer(json).unwrap_or(0).max(0);
                Backtrace::Lines(u32::try_from(lines).unwrap_or(u32::MAX))
            }
        }
    }

    /// `tags`, those that are strings.
    #[must_use]
    pub fn tags(&self) -> Vec<String> {
        self.0.tags.and_then(read).unwrap_or_default()
    }

    /// `wrapped`: the class of an ActiveJob job.
    #[must_use]
    pub fn wrapped(&self) -> Option<Cow<'a, str>> {
        self.0.wrapped.and_then(string)
    }

    /// `display_class`: the class as it is to be shown.
    #[must_use]
    pub fn display_class(&self) -> Option<Cow<'a, str>> {
        self.0.display_class.and_then(string)
    }

    /// `bid`: the batch that it belongs to.
    #[must_use]
    pub fn bid(&self) -> Option<Cow<'a, str>> {
        self.0.bid.and_then(string)
    }

    /// `created_at`: when it was first pushed.
    #[must_use]
    pub fn created_at(&self) -> Option<Timestamp> {
        self.0.created_at.and_then(read_time)
    }

    /// `enqueued_at`: when it came into its queue; absent in the schedule.
    #[must_use]
    pub fn enqueued_at(&self) -> Option<Timestamp> {
        self.0.enqueued_at.and_then(read_time)
    }

    /// `failed_at`: its first failure.
    #[must_use]
    pub fn failed_at(&self) -> Option<Timestamp> {
        self.0.failed_at.and_then(read_time)
    }

    /// `retried_at`: its last failure, if that was not the first.
    #[must_use]
    pub fn retried_at(&self) -> Option<Timestamp> {
        self.0.retried_at.and_then(read_time)
    }

    /// `discarded_at`: when it was discarded.
    #[must_use]
    pub fn discarded_at(&self) -> Option<Timestamp> {
        self.0.discarded_at.and_then(read_time)
    }

    /// `retry_count`: 0 after the first failure. One that was tried again by hand has one less, so it may be -1.
    #[must_use]
    pub fn retry_count(&self) -> Option<i64> {
        self.0.retry_count.and_then(integer)
    }

    /// `error_class`, of its last failure.
    #[must_use]
    pub fn error_class(&self) -> Option<Cow<'a, str>> {
        self.0.error_class.and_then(string)
    }

    /// `error_message`, of its last failure.
    #[must_use]
    pub fn error_message(&self) -> Option<Cow<'a, str>> {
        self.0.error_message.and_then(string)
    }

    /// `error_backtrace`, its lines.
    #[must_use]
    pub fn error_backtrace(&self) -> Option<Vec<String>> {
        read_backtrace(&self.0.error_backtrace.and_then(string)?)
    }

    /// `sancho_attempts`: how often its executions ended in each of its rules.
    #[must_use]
    pub fn attempts(&self) -> Attempts {
        self.0
            .sancho_attempts
            .map(Attempts::read)
            .unwrap_or_default()
    }
}

pub(super) fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    serde_json::from_str(json).ok()
}

/// An integer; one that does not fit is the nearest that does.
pub(super) fn integer(json: &str) -> Option<i64> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    json.parse()
        .or_else(|error: std::num::ParseIntError| match error.kind() {
            PosOverflow => Ok(i64::MAX),
            NegOverflow => Ok(i64::MIN),
            _ => Err(error),
        })
        .ok()
}

/// A string, borrowed where it has no escapes.
pub(super) fn string(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        read(json).map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

fn name(json: &str) -> Option<Cow<'_, str>> {
    string(json).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields<'_> {
        Fields::read(json.as_bytes()).unwrap()
    }

    #[test]
    fn retry_is_read_as_ruby_takes_it() {
        for (json, retry) in [
            ("true", Some(Retry::Default)),
            ("false", Some(Retry::Never)),
            ("null", None),
            ("0", Some(Retry::Times(0))),
            ("7", Some(Retry::Times(7))),
            ("-1", Some(Retry::Times(0))),
            ("12345678901234567890", Some(Retry::Times(u32::MAX))),
            ("\"3\"", Some(Retry::Default)),
            ("3.5", Some(Retry::Default)),
            ("[]", Some(Retry::Default)),
        ] {
            assert_eq!(
                fields(&format!(r#"{{"retry":{json}}}"#)).retry(),
                retry,
                "{json}"
            );
        }
        assert_eq!(fields("{}").retry(), None);
    }

    #[test]
    fn retry_for_is_seconds() {
        for (json, time) in [
            ("3600", Some(Duration::from_secs(3_600))),
            ("0.5", Some(Duration::from_millis(500))),
            ("-3", Some(Duration::ZERO)),
            ("1e300", Some(Duration::MAX)),
            ("null", None),
            ("\"60\"", None),
        ] {
            let json = format!(r#"{{"retry_for":{json}}}"#);
            assert_eq!(fields(&json).retry_for(), time, "{json}");
        }
    }

    #[test]
    fn dead_says_no_only_where_it_is_false() {
        for (json, kept) in [
            ("true", true),
            ("false", false),
            ("null", true),
            ("0", true),
        ] {
            let json = format!(r#"{{"dead":{json}}}"#);
            assert_eq!(fields(&json).is_kept_when_dead(), kept, "{json}");
        }
        assert!(fields("{}").is_kept_when_dead());
    }

    #[test]
    fn backtrace_is_all_or_some_lines() {
        for (json, lines) in [
            ("true", Backtrace::All),
            ("3", Backtrace::Lines(3)),
            ("0", Backtrace::Lines(0)),
            ("false", Backtrace::None),
            ("null", Backtrace::None),
        ] {
            let json = format!(r#"{{"backtrace":{json}}}"#);
            assert_eq!(fields(&json).backtrace(), lines, "{json}");
        }
    }

    #[test]
    fn times_are_seconds_or_milliseconds() {
        let json =
            r#"{"created_at":1795469481.0779636,"failed_at":1795469303994,"enqueued_at":"x"}"#;
        let micros = |at: Option<Timestamp>| at.map(Timestamp::as_micros);
        assert_eq!(
            micros(fields(json).created_at()),
            Some(1_795_469_481_077_964)
        );
        assert_eq!(
            micros(fields(json).failed_at()),
            Some(1_795_469_303_994_000)
        );
        assert_eq!(micros(fields(json).enqueued_at()), None);
    }

    #[test]
    fn the_last_of_equal_keys_counts_and_keys_may_be_escaped() {
        let json = r#"{"queue":"a","qu\u0065ue":"b\u0062","retry_queue":""}"#;
        assert_eq!(fields(json).queue().unwrap(), "bb");
        assert!(fields(json).retry_queue().is_none());
    }

    #[test]
    fn only_objects_have_fields() {
        for payload in [
            &b"[]"[..],
            b"{bad",
            b"1",
            b"",
            b"{\"a\":\"\xff\"}",
            b"{} {}",
        ] {
            assert!(Fields::read(payload).is_none(), "{payload:?}");
        }
    }
}
