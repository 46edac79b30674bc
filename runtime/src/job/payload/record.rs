//! Reading a payload.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::job::{JobId, Retry, Timestamp};

/// A payload that was read: what the engine needs of it, parsed once; the arguments stay raw.
#[derive(Clone, Debug)]
pub struct Record {
    payload: Bytes,
    args: Bytes,
    class: Box<str>,
    jid: JobId,
    retry: Option<Retry>,
    retry_count: Option<u32>,
    tags: Vec<String>,
    recoveries: Option<Recoveries>,
}

/// How often a job was recovered from a process that died, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
pub struct Recoveries {
    /// How often.
    pub count: u32,
    /// When the first was, in milliseconds since the epoch.
    pub first_at: i64,
}

/// A payload that is no job.
#[derive(Debug, thiserror::Error)]
#[error("the payload is not a job: {reason}")]
pub struct MalformedPayload {
    reason: String,
}

/// The fields as they stand on the wire. Those that only matter after a failure are not looked into here: a value of
/// a type that nobody expects is the default, as in Ruby, and no reason to refuse the job.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    class: Cow<'a, str>,
    #[serde(borrow)]
    args: &'a RawValue,
    #[serde(borrow, default)]
    jid: Cow<'a, str>,
    #[serde(borrow, default)]
    retry: Option<&'a RawValue>,
    #[serde(borrow, default)]
    retry_count: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tags: Option<&'a RawValue>,
    #[serde(borrow, default)]
    sancho_recoveries: Option<&'a RawValue>,
}

impl Record {
    /// Reads a payload.
    ///
    /// # Errors
    /// Bytes that are no JSON object with a `class` and an `args` array.
    pub fn parse(payload: Bytes) -> Result<Self, MalformedPayload> {
        let wire: Wire<'_> =
            serde_json::from_slice(&payload).map_err(|error| MalformedPayload {
                reason: error.to_string(),
            })?;
        if !wire.args.get().starts_with('[') {
            return Err(MalformedPayload {
                reason: format!("`args` of `{}` is not an array", wire.class),
            });
        }
        Ok(Self {
            args: payload.slice_ref(wire.args.get().as_bytes()),
            class: wire.class.into_owned().into_boxed_str(),
            jid: JobId::from_text(wire.jid.into_owned()),
            retry: wire.retry.and_then(read_retry),
            retry_count: wire
                .retry_count
                .and_then(read::<i64>)
                .map(|count| u32::try_from(count).unwrap_or(0)),
            tags: wire.tags.and_then(read).unwrap_or_default(),
            recoveries: wire.sancho_recoveries.and_then(read),
            payload,
        })
    }

    /// The exact bytes.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The JSON array of the arguments.
    #[must_use]
    pub fn args(&self) -> &Bytes {
        &self.args
    }

    /// The class.
    #[must_use]
    pub fn class(&self) -> &str {
        &self.class
    }

    /// The id; empty where there is none.
    #[must_use]
    pub fn jid(&self) -> &JobId {
        &self.jid
    }

    /// What `retry` says; `None` where it says nothing (or something that means nothing).
    #[must_use]
    pub fn retry(&self) -> Option<Retry> {
        self.retry
    }

    /// How often it failed so far, less one; `None` before the first failure.
    #[must_use]
    pub fn retry_count(&self) -> Option<u32> {
        self.retry_count
    }

    /// The tags.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// How often it was recovered so far.
    #[must_use]
    pub fn recoveries(&self) -> Option<Recoveries> {
        self.recoveries
    }
}

impl Recoveries {
    /// How long recoveries are counted together. As long as Sidekiq Pro's poison pill looks back.
    pub const WINDOW: Duration = Duration::from_secs(72 * 60 * 60);

    /// After `more` further recoveries at `now`: counted on from what there was, or anew where that is too long ago.
    #[must_use]
    pub fn after(so_far: Option<Self>, more: u32, now: Timestamp) -> Self {
        match so_far {
            Some(so_far) if now.since(Timestamp::from_millis(so_far.first_at)) <= Self::WINDOW => {
                Self {
                    count: so_far.count.saturating_add(more),
                    ..so_far
                }
            }
            _ => Self {
                count: more,
                first_at: now.as_millis(),
            },
        }
    }
}

fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

fn read_retry(raw: &RawValue) -> Option<Retry> {
    match raw.get() {
        "true" => Some(Retry::Default),
        "false" => Some(Retry::Never),
        number => Some(Retry::Times(
            u32::try_from(number.parse::<i64>().ok()?).unwrap_or(0),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Record, MalformedPayload> {
        Record::parse(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn a_payload_of_ruby_is_read() {
        let record = parse(r#"{"retry":5,"queue":"critical","tags":["a","b"],"backtrace":2,"args":[1, "é"],"class":"HardJob","jid":"5575ed27c960c219b486365d","created_at":1795469264489,"enqueued_at":1795469264489}"#).unwrap();
        assert_eq!(record.class(), "HardJob");
        assert_eq!(record.args().as_ref(), "[1, \"é\"]".as_bytes());
        assert_eq!(record.jid().as_str(), "5575ed27c960c219b486365d");
        assert_eq!(record.retry(), Some(Retry::Times(5)));
        assert_eq!(record.retry_count(), None);
        assert_eq!(record.tags(), ["a", "b"]);
    }

    #[test]
    fn retry_is_read_as_ruby_reads_it() {
        let retry = |value: &str| {
            parse(&format!(r#"{{"class":"A","args":[],"retry":{value}}}"#))
                .unwrap()
                .retry()
        };
        assert_eq!(retry("true"), Some(Retry::Default));
        assert_eq!(retry("false"), Some(Retry::Never));
        assert_eq!(retry("0"), Some(Retry::Times(0)));
        assert_eq!(retry("-1"), Some(Retry::Times(0)));
        assert_eq!(retry("null"), None);
        assert_eq!(retry("\"3\""), None);
    }

    #[test]
    fn fields_of_unexpected_types_do_not_refuse_a_job() {
        let record =
            parse(r#"{"class":"A","args":[],"tags":7,"retry_count":"x","sancho_recoveries":[]}"#)
                .unwrap();
        assert_eq!(
            (record.tags(), record.retry_count(), record.recoveries()),
            (&[][..], None, None)
        );
    }

    #[test]
    fn what_is_no_job_says_why() {
        for (text, why) in [
            ("{bad json", "key must be a string"),
            ("[]", "invalid"),
            (r#"{"args":[]}"#, "missing field `class`"),
            (r#"{"class":"A"}"#, "missing field `args`"),
            (
                r#"{"class":"A","args":{}}"#,
                "`args` of `A` is not an array",
            ),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn recoveries_are_counted_within_their_window() {
        let start = Timestamp::from_millis(1_000_000);
        let first = Recoveries::after(None, 1, start);
        assert_eq!(
            first,
            Recoveries {
                count: 1,
                first_at: 1_000_000
            }
        );
        let second = Recoveries::after(Some(first), 2, start.after(Recoveries::WINDOW));
        assert_eq!(
            second,
            Recoveries {
                count: 3,
                first_at: 1_000_000
            }
        );
        let late = start.after(Recoveries::WINDOW + Duration::from_millis(1));
        assert_eq!(Recoveries::after(Some(second), 1, late).count, 1);
    }
}
