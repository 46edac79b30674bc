//! Writing a new payload.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::Wire;
use super::splice::json_string;
use crate::job::{ArgsError, Backtrace, JobId, Retry, Timestamp, args};

/// A job that is about to be pushed: what client middleware sees and may change.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewJob {
    /// Its class on the wire.
    pub class: String,
    /// Its arguments: the text of a JSON array.
    pub args: String,
    /// Its id.
    pub jid: JobId,
    /// The queue it goes to.
    pub queue: Arc<str>,
    /// How often it is tried again.
    pub retry: Retry,
    /// For how long after its first failure it is tried again, in whole seconds, instead of so many times.
    pub retry_for: Option<Duration>,
    /// The queue that it is tried again from, instead of the one that it was taken from.
    pub retry_queue: Option<String>,
    /// Whether it goes to the dead set when it is exhausted; `None` is `true`.
    pub dead: Option<bool>,
    /// What is kept of the backtrace of a failure; `None` is nothing.
    pub backtrace: Option<Backtrace>,
    /// Its tags.
    pub tags: Vec<String>,
    /// The version of its arguments, from 1; the first is not written.
    pub version: u32,
    /// The class of an ActiveJob, whose wrapper `class` is.
    pub wrapped: Option<String>,
    /// The name that is shown instead of its class.
    pub display_class: Option<String>,
    /// When it runs; `None` is now.
    pub at: Option<Timestamp>,
    /// Any other fields: name and JSON text.
    fields: Vec<(String, String)>,
}

/// A field that cannot be set.
#[derive(Debug, thiserror::Error)]
#[error("the field {name:?} cannot be set: {reason}")]
pub struct FieldError {
    name: String,
    reason: String,
}

/// The fields that have a meaning of their own: they are set by their options, or by what happens to a job. `pool` and
/// `client_class` never leave a Ruby client.
const RESERVED: [&str; 24] = [
    "args",
    "at",
    "backtrace",
    "class",
    "client_class",
    "created_at",
    "dead",
    "discarded_at",
    "display_class",
    "enqueued_at",
    "error_backtrace",
    "error_class",
    "error_message",
    "failed_at",
    "jid",
    "pool",
    "queue",
    "retried_at",
    "retry",
    "retry_count",
    "retry_for",
    "retry_queue",
    "tags",
    "wrapped",
];

/// What our own fields begin with.
const OURS: &str = "sancho_";

impl NewJob {
    /// A job of this class with these arguments (the text of a JSON array), a random id and Sidekiq's defaults.
    #[must_use]
    pub fn new(class: impl Into<String>, args: impl Into<String>) -> Self {
        Self {
            class: class.into(),
            args: args.into(),
            jid: JobId::random(),
            queue: "default".into(),
            retry: Retry::Default,
            retry_for: None,
            retry_queue: None,
            dead: None,
            backtrace: None,
            tags: Vec::new(),
            version: 1,
            wrapped: None,
            display_class: None,
            at: None,
            fields: Vec::new(),
        }
    }

    /// Sets a field that sancho knows nothing of, such as `locale`, `cattr` or one that your own middleware reads. It is
    /// carried through retries and the dead set unchanged.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut job = sancho::client::NewJob::new("HardJob", "[1]");
    /// job.set_field("locale", "fr")?;
    /// assert_eq!(job.field("locale"), Some("\"fr\""));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A name that is empty, or that Sidekiq or sancho (`sancho_...`) gives a meaning of its own; a value that cannot be JSON.
    pub fn set_field(
        &mut self,
        name: impl Into<String>,
        value: impl Serialize,
    ) -> Result<(), FieldError> {
        let name = name.into();
        match field(&name, &value) {
            Ok(json) => {
                self.put_field(name, json);
                Ok(())
            }
            Err(reason) => Err(FieldError { name, reason }),
        }
    }

    /// The JSON text of a field that [`set_field`](Self::set_field) set.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, json)| json.as_str())
    }

    /// All fields that [`set_field`](Self::set_field) set, in the order in which they are written.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields
            .iter()
            .map(|(name, json)| (name.as_str(), json.as_str()))
    }

    /// Sets any field, our own too, to a JSON text.
    pub(crate) fn put_field(&mut self, name: String, json: String) {
        match self.fields.iter_mut().find(|(known, _)| *known == name) {
            Some(field) => field.1 = json,
            None => self.fields.push((name, json)),
        }
    }

    /// The payload, in the order in which Sidekiq writes its fields: the options first, as a Ruby class would declare them.
    /// A job for later has no `enqueued_at` yet, and no `at`: its time is its score.
    #[must_use]
    pub fn payload(&self, now: Timestamp, wire: Wire) -> Bytes {
        let mut out = String::with_capacity(192 + self.args.len());
        out.push_str("{\"retry\":");
        match self.retry {
            Retry::Default => out.push_str("true"),
            Retry::Never => out.push_str("false"),
            Retry::Times(times) => _ = write!(out, "{times}"),
        }
        let _ = write!(out, ",\"queue\":{}", json_string(&self.queue));
        self.options(&mut out);
        let class = json_string(&self.class);
        let _ = match self.at {
            None => write!(out, ",\"args\":{},\"class\":{class}", self.args),
            Some(_) => write!(out, ",\"class\":{class},\"args\":{}", self.args),
        };
        let now = wire.time(now);
        let _ = write!(
            out,
            ",\"jid\":{},\"created_at\":{now}",
            json_string(self.jid.as_str())
        );
        if self.at.is_none() {
            let _ = write!(out, ",\"enqueued_at\":{now}");
        }
        out.push('}');
        out.into()
    }

    /// The options that are only written where they say something.
    fn options(&self, out: &mut String) {
        if !self.tags.is_empty() {
            let tags: Vec<_> = self.tags.iter().map(|tag| json_string(tag)).collect();
            let _ = write!(out, ",\"tags\":[{}]", tags.join(","));
        }
        let _ = match self.backtrace {
            None => Ok(()),
            Some(Backtrace::None) => write!(out, ",\"backtrace\":false"),
            Some(Backtrace::All) => write!(out, ",\"backtrace\":true"),
            Some(Backtrace::Lines(lines)) => write!(out, ",\"backtrace\":{lines}"),
        };
        if let Some(dead) = self.dead {
            let _ = write!(out, ",\"dead\":{dead}");
        }
        if let Some(window) = self.retry_for {
            let _ = write!(out, ",\"retry_for\":{}", window.as_secs());
        }
        for (name, value) in [
            ("retry_queue", &self.retry_queue),
            ("wrapped", &self.wrapped),
            ("display_class", &self.display_class),
        ] {
            if let Some(value) = value {
                let _ = write!(out, ",\"{name}\":{}", json_string(value));
            }
        }
        if self.version > 1 {
            let _ = write!(out, ",\"sancho_version\":{}", self.version);
        }
        for (name, json) in &self.fields {
            let _ = write!(out, ",{}:{json}", json_string(name));
        }
    }
}

fn field(name: &str, value: &impl Serialize) -> Result<String, String> {
    if name.is_empty() {
        return Err("its name is empty".to_owned());
    }
    if RESERVED.contains(&name) {
        return Err("it has a meaning of its own: use the option of that name".to_owned());
    }
    if name.starts_with(OURS) {
        return Err(format!("names that begin with `{OURS}` are sancho's own"));
    }
    args::to_json(value).map_err(|error: ArgsError| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> NewJob {
        NewJob {
            jid: JobId::from_text("d3ab86bad86a8fc45845636e"),
            ..NewJob::new("PlainJob", r#"[1,"two",{"k":[null,true,1.5,"é/…<>"]}]"#)
        }
    }

    const NOW: Timestamp = Timestamp::from_millis(1_795_469_264_488);

    fn text(job: &NewJob) -> String {
        String::from_utf8(job.payload(NOW, Wire::Sidekiq8).to_vec()).unwrap()
    }

    #[test]
    fn a_push_has_the_bytes_that_sidekiq_8_writes() {
        assert_eq!(
            text(&job()),
            r#"{"retry":true,"queue":"default","args":[1,"two",{"k":[null,true,1.5,"é/…<>"]}],"class":"PlainJob","jid":"d3ab86bad86a8fc45845636e","created_at":1795469264488,"enqueued_at":1795469264488}"#
        );
    }

    #[test]
    fn a_push_with_options_has_the_bytes_that_sidekiq_8_writes() {
        let job = NewJob {
            retry: Retry::Times(5),
            queue: "critical".into(),
            tags: vec!["a".into(), "b".into()],
            backtrace: Some(Backtrace::Lines(2)),
            jid: JobId::from_text("5575ed27c960c219b486365d"),
            ..NewJob::new("HardJob", "[1]")
        };
        assert_eq!(
            job.payload(Timestamp::from_millis(1_795_469_264_489), Wire::Sidekiq8),
            r#"{"retry":5,"queue":"critical","tags":["a","b"],"backtrace":2,"args":[1],"class":"HardJob","jid":"5575ed27c960c219b486365d","created_at":1795469264489,"enqueued_at":1795469264489}"#
        );
    }

    #[test]
    fn a_push_has_the_bytes_that_sidekiq_7_and_6_write() {
        // Ruby takes the time twice, sancho once.
        let now = Timestamp::from_micros(1_795_469_481_077_963);
        let args = args::to_array(&(1, 1.0, 1e20, 12_345_678_901_234_567_890_u64, "日本")).unwrap();
        let job = NewJob {
            jid: job().jid,
            ..NewJob::new("PlainJob", args)
        };
        for wire in [Wire::Sidekiq6, Wire::Sidekiq7] {
            assert_eq!(
                job.payload(now, wire),
                r#"{"retry":true,"queue":"default","args":[1,1.0,1.0e+20,12345678901234567890,"日本"],"class":"PlainJob","jid":"d3ab86bad86a8fc45845636e","created_at":1795469481.077963,"enqueued_at":1795469481.077963}"#
            );
        }
    }

    #[test]
    fn a_push_for_later_has_the_bytes_that_sidekiq_8_writes() {
        let later = NewJob {
            at: Some(NOW),
            args: "[\"later\"]".into(),
            ..job()
        };
        assert_eq!(
            text(&later),
            r#"{"retry":true,"queue":"default","class":"PlainJob","args":["later"],"jid":"d3ab86bad86a8fc45845636e","created_at":1795469264488}"#
        );
    }

    #[test]
    fn every_option_stands_before_the_arguments() {
        let mut job = NewJob {
            retry: Retry::Never,
            queue: "critical".into(),
            tags: vec!["a".into(), "b\"".into()],
            backtrace: Some(Backtrace::All),
            dead: Some(false),
            retry_for: Some(Duration::from_millis(3_600_900)),
            retry_queue: Some("slow".into()),
            wrapped: Some("Inner".into()),
            display_class: Some("Shown".into()),
            ..job()
        };
        job.set_field("locale", "fr").unwrap();
        job.set_field("n\"", [0.000_01]).unwrap();
        job.set_field("locale", "de").unwrap();
        assert!(
            text(&job)
                .starts_with(r#"{"retry":false,"queue":"critical","tags":["a","b\""],"backtrace":true,"dead":false,"retry_for":3600,"retry_queue":"slow","wrapped":"Inner","display_class":"Shown","locale":"de","n\"":[1.0e-05],"args":["#),
            "{}",
            text(&job)
        );
        assert_eq!(job.fields().count(), 2);
    }

    #[test]
    fn fields_with_a_meaning_of_their_own_are_refused() {
        let mut job = job();
        for name in RESERVED.iter().chain(&["", "sancho_trace"]) {
            let error = job.set_field(*name, 1).unwrap_err().to_string();
            assert!(error.contains(&format!("{name:?}")), "{error}");
        }
        let error = job.set_field("x", f64::NAN).unwrap_err().to_string();
        assert_eq!(
            error,
            "the field \"x\" cannot be set: it cannot be stored as JSON: NaN is not a number"
        );
        assert_eq!(job.fields().count(), 0);
    }
}
