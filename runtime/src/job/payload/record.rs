//! Reading a payload.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;

use super::Fields;
use super::fields::{integer, read, string};
use super::object::read_object;
use crate::job::{JobId, Timestamp};

/// A payload that was read: what a run needs of it, parsed once; the arguments stay raw, and what matters after a failure
/// is found when it is asked for ([`Record::fields`]).
#[derive(Clone, Debug)]
pub struct Record {
    payload: Bytes,
    args: Bytes,
    class: Box<str>,
    jid: JobId,
    retry_count: Option<i64>,
    tags: Vec<String>,
    recoveries: Option<Recoveries>,
    version: u32,
}

/// How often a job was recovered from a process that died, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Recoveries {
    /// How often.
    pub count: u32,
    /// When the first was, in milliseconds since the epoch.
    pub first_at: i64,
    /// Whether that was once too often: whoever claims the job buries it instead of running it.
    #[serde(default)]
    pub given_up: bool,
}

/// A payload that is no job.
#[derive(Debug, thiserror::Error)]
#[error("the payload is not a job: {reason}")]
pub struct MalformedPayload {
    reason: String,
    object: bool,
}

/// The fields that a run needs. The values of all but `class` and `args` may be of any type: one that nobody expects is as
/// if it was not there, as in Ruby, and no reason to refuse the job.
enum Needed {
    Class,
    Args,
    Jid,
    RetryCount,
    Tags,
    Recoveries,
    Version,
}

impl Needed {
    fn of(key: &str) -> Option<Self> {
        Some(match key {
            "class" => Self::Class,
            "args" => Self::Args,
            "jid" => Self::Jid,
            "retry_count" => Self::RetryCount,
            "tags" => Self::Tags,
            "sancho_recoveries" => Self::Recoveries,
            "sancho_version" => Self::Version,
            _ => return None,
        })
    }
}

impl Record {
    /// Reads a payload.
    ///
    /// # Errors
    /// Bytes that are no JSON object with a `class` and an `args` array, in UTF-8.
    pub fn parse(payload: Bytes) -> Result<Self, MalformedPayload> {
        let text = std::str::from_utf8(&payload)
            .map_err(|error| MalformedPayload::no_object(&format!("it is not UTF-8: {error}")))?;
        let (mut class, mut args, mut jid) = (None, None, None);
        let (mut retry_count, mut tags, mut recoveries, mut version) = (None, None, None, None);
        read_object(text, Needed::of, |field, json| {
            let field = match field {
                Needed::Class => &mut class,
                Needed::Args => &mut args,
                Needed::Jid => &mut jid,
                Needed::RetryCount => &mut retry_count,
                Needed::Tags => &mut tags,
                Needed::Recoveries => &mut recoveries,
                Needed::Version => &mut version,
            };
            *field = Some(json);
        })
        .map_err(|error| MalformedPayload::no_object(&error))?;
        let class = class
            .and_then(string)
            .ok_or_else(|| MalformedPayload::object("it has no `class` that is a string"))?;
        let args = args.filter(|args| args.starts_with('[')).ok_or_else(|| {
            MalformedPayload::object(&format!("`{class}` has no `args` that are an array"))
        })?;
        Ok(Self {
            args: payload.slice_ref(args.as_bytes()),
            class: class.into(),
            jid: JobId::from_text(jid.and_then(string).unwrap_or_default()),
            retry_count: retry_count.and_then(integer),
            tags: tags.and_then(read).unwrap_or_default(),
            recoveries: recoveries.and_then(read),
            version: version.map_or(1, version_number),
            payload,
        })
    }

    /// All its fields.
    #[must_use]
    pub fn fields(&self) -> Fields<'_> {
        Fields::read(&self.payload).unwrap_or_default()
    }

    /// The JSON text of any field; of one that stands there twice, the last.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let text = std::str::from_utf8(&self.payload).ok()?;
        let mut found = None;
        let is = |key: &str| (key == name).then_some(());
        read_object(text, is, |(), json| found = Some(json)).ok()?;
        found
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

    /// How often it failed so far, less one; `None` before the first failure. One that was tried again by hand counts one
    /// less, so it may be -1.
    #[must_use]
    pub fn retry_count(&self) -> Option<i64> {
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

    /// The version of the arguments: `sancho_version`, 1 where there is none.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }
}

/// A version; what is no number from 0 is as if it was not there.
fn version_number(json: &str) -> u32 {
    match integer(json) {
        Some(number @ 0..) => u32::try_from(number).unwrap_or(u32::MAX),
        _ => 1,
    }
}

impl MalformedPayload {
    fn no_object(reason: &impl ToString) -> Self {
        Self {
            reason: reason.to_string(),
            object: false,
        }
    }

    fn object(reason: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            object: true,
        }
    }

    /// Whether it is a JSON object all the same, so that its fields can say what is wrong with it.
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.object
    }
}

impl Recoveries {
    /// How long recoveries are counted together. As long as Sidekiq Pro's poison pill looks back.
    pub const WINDOW: Duration = Duration::from_secs(72 * 60 * 60);

    /// As it stands in a payload.
    #[must_use]
    pub fn json(&self) -> String {
        let Self {
            count, first_at, ..
        } = self;
        let given_up = if self.given_up {
            r#","given_up":true"#
        } else {
            ""
        };
        format!(r#"{{"count":{count},"first_at":{first_at}{given_up}}}"#)
    }

    /// After `more` further recoveries at `now`: counted on from what there was, or anew where that is too long ago. Whether it is given up
    /// is to be said anew.
    #[must_use]
    pub fn after(so_far: Option<Self>, more: u32, now: Timestamp) -> Self {
        match so_far {
            Some(so_far) if now.since(Timestamp::from_millis(so_far.first_at)) <= Self::WINDOW => {
                Self {
                    count: so_far.count.saturating_add(more),
                    first_at: so_far.first_at,
                    given_up: false,
                }
            }
            _ => Self {
                count: more,
                first_at: now.as_millis(),
                given_up: false,
            },
        }
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
        assert_eq!(record.retry_count(), None);
        assert_eq!(record.tags(), ["a", "b"]);
    }

    #[test]
    fn what_counts_is_the_last_of_equal_keys() {
        let record =
            parse(r#"{"class":"A","args":[1],"cl\u0061ss":"B","args":[2],"jid":"1"}"#).unwrap();
        assert_eq!((record.class(), &record.args()[..]), ("B", &b"[2]"[..]));
    }

    #[test]
    fn a_count_may_be_below_zero_after_a_try_by_hand() {
        let record = parse(r#"{"class":"A","args":[],"retry_count":-1}"#).unwrap();
        assert_eq!(record.retry_count(), Some(-1));
    }

    #[test]
    fn arguments_may_nest_as_deep_as_they_like() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let payload = format!(r#"{{"x":{deep},"class":"A","args":{deep}}}"#);
        assert_eq!(parse(&payload).unwrap().args().len(), deep.len());
    }

    #[test]
    fn fields_of_unexpected_types_do_not_refuse_a_job() {
        let record = parse(
            r#"{"class":"A","args":[],"jid":7,"tags":7,"retry_count":"x","sancho_recoveries":[]}"#,
        )
        .unwrap();
        assert_eq!(
            (record.tags(), record.retry_count(), record.recoveries()),
            (&[][..], None, None)
        );
        assert_eq!(record.jid().as_str(), "");
    }

    #[test]
    fn arguments_without_a_version_are_of_the_first() {
        for (more, version) in [
            ("", 1),
            (r#","sancho_version":3"#, 3),
            (r#","sancho_version":0"#, 0),
            (r#","sancho_version":-1"#, 1),
            (r#","sancho_version":"x""#, 1),
            (r#","sancho_version":99999999999"#, u32::MAX),
        ] {
            let record = parse(&format!(r#"{{"class":"A","args":[]{more}}}"#)).unwrap();
            assert_eq!(record.version(), version, "{more}");
        }
    }

    #[test]
    fn what_is_no_job_says_why() {
        for (text, why, object) in [
            ("{bad json", "key must be a string", false),
            ("[]", "expected a JSON object", false),
            ("{} {}", "trailing characters", false),
            (r#"{"args":[]}"#, "no `class`", true),
            (r#"{"args":[],"class":1}"#, "no `class`", true),
            (r#"{"class":"A"}"#, "`A` has no `args`", true),
            (r#"{"class":"A","args":{}}"#, "`A` has no `args`", true),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().contains(why), "{text}: {error}");
            assert_eq!(error.is_object(), object, "{text}");
        }
        let error = Record::parse(Bytes::from_static(b"{\"class\":\"A\",\"args\":[\"\xff\"]}"));
        assert!(error.unwrap_err().to_string().contains("not UTF-8"));
    }

    #[test]
    fn recoveries_are_counted_within_their_window() {
        let start = Timestamp::from_millis(1_000_000);
        let first = Recoveries::after(None, 1, start);
        assert_eq!(
            first,
            Recoveries {
                count: 1,
                first_at: 1_000_000,
                given_up: false
            }
        );
        assert_eq!(first.json(), r#"{"count":1,"first_at":1000000}"#);
        let second = Recoveries::after(Some(first), 2, start.after(Recoveries::WINDOW));
        assert_eq!(
            second,
            Recoveries {
                count: 3,
                first_at: 1_000_000,
                given_up: false
            }
        );
        let given_up = Recoveries {
            given_up: true,
            ..second
        };
        let marked = r#"{"count":3,"first_at":1000000,"given_up":true}"#;
        assert_eq!(given_up.json(), marked);
        let read = parse(&format!(
            r#"{{"class":"A","args":[],"sancho_recoveries":{marked}}}"#
        ));
        assert_eq!(read.unwrap().recoveries(), Some(given_up));
        assert!(!Recoveries::after(Some(given_up), 1, start).given_up);
        let late = start.after(Recoveries::WINDOW + Duration::from_millis(1));
        assert_eq!(Recoveries::after(Some(second), 1, late).count, 1);
    }
}
