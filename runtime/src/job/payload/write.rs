//! Writing a new payload.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;

use super::splice::json_string;
use crate::job::{JobId, Retry, Timestamp};

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
    /// Its tags.
    pub tags: Vec<String>,
    /// When it runs; `None` is now.
    pub at: Option<Timestamp>,
}

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
            tags: Vec::new(),
            at: None,
        }
    }

    /// The payload, in the order in which Sidekiq writes its fields. A job for later has no `enqueued_at` yet, and no
    /// `at`: its time is its score.
    #[must_use]
    pub fn payload(&self, now: Timestamp) -> Bytes {
        let mut out = String::with_capacity(192 + self.args.len());
        out.push_str("{\"retry\":");
        match self.retry {
            Retry::Default => out.push_str("true"),
            Retry::Never => out.push_str("false"),
            Retry::Times(times) => _ = write!(out, "{times}"),
        }
        let _ = write!(out, ",\"queue\":{}", json_string(&self.queue));
        if !self.tags.is_empty() {
            let tags: Vec<_> = self.tags.iter().map(|tag| json_string(tag)).collect();
            let _ = write!(out, ",\"tags\":[{}]", tags.join(","));
        }
        let class = json_string(&self.class);
        let _ = match self.at {
            None => write!(out, ",\"args\":{},\"class\":{class}", self.args),
            Some(_) => write!(out, ",\"class\":{class},\"args\":{}", self.args),
        };
        let now = now.as_millis();
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

    #[test]
    fn a_push_has_the_bytes_that_sidekiq_8_writes() {
        assert_eq!(
            job().payload(NOW),
            r#"{"retry":true,"queue":"default","args":[1,"two",{"k":[null,true,1.5,"é/…<>"]}],"class":"PlainJob","jid":"d3ab86bad86a8fc45845636e","created_at":1795469264488,"enqueued_at":1795469264488}"#
        );
    }

    #[test]
    fn a_push_for_later_has_the_bytes_that_sidekiq_8_writes() {
        let later = NewJob {
            at: Some(NOW),
            args: "[\"later\"]".into(),
            ..job()
        };
        assert_eq!(
            later.payload(NOW),
            r#"{"retry":true,"queue":"default","class":"PlainJob","args":["later"],"jid":"d3ab86bad86a8fc45845636e","created_at":1795469264488}"#
        );
    }

    #[test]
    fn options_stand_before_the_arguments() {
        let job = NewJob {
            retry: Retry::Times(5),
            queue: "critical".into(),
            tags: vec!["a".into(), "b\"".into()],
            ..job()
        };
        assert!(
            job.payload(NOW)
                .starts_with(br#"{"retry":5,"queue":"critical","tags":["a","b\""],"args":["#)
        );
    }
}
