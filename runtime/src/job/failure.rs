//! What went wrong with an execution.

mod class;
mod message;

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::time::Duration;

pub use message::{Message, OfAny, OfError, Returned};

use super::payload::MalformedPayload;
use super::{ArgsError, JobError};

/// A failed execution: its kind, what is written into the payload, and the job's own error where there is one.
#[derive(Debug)]
pub struct Failure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// `error_class` on the wire.
    pub class: String,
    /// `error_message` on the wire: the error and the chain of its sources.
    pub message: String,
    /// What is known of where it came from, for `error_backtrace` on the wire: the error and the chain of its sources, or
    /// where it panicked.
    pub backtrace: Vec<String>,
    /// The job's own error.
    pub error: Option<Box<dyn Any + Send + Sync>>,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// The job returned an error.
    Error,
    /// The job panicked.
    Panicked,
    /// The job ran longer than its `timeout`.
    TimedOut,
    /// The process that ran it died.
    Lost,
    /// Its arguments are not those of the job.
    Undecodable,
    /// Anything else: an unknown class, an error of middleware.
    Other,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class, self.message)
    }
}

/// An error of middleware, with `?`: written as a job's own would be.
impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let message = Message::of(&error);
        Self {
            kind: FailureKind::Other,
            ..Self::from_error(error, Some(message))
        }
    }
}

impl Failure {
    /// The error that a job returned, with what it says where that is known to be more than its text.
    pub(crate) fn from_error<E: JobError>(error: E, message: Option<Message>) -> Self {
        let class = class::of(&error);
        let Message { text, chain } = message.unwrap_or_else(|| Message {
            // Asked so, `anyhow::Error` and `eyre::Report` write the chain of their sources.
            text: format!("{error:#}"),
            chain: if class::is_report(&class) {
                // Asked so, they write it line by line, with a backtrace where one was captured.
                lines(&format!("{error:?}"))
            } else {
                vec![error.to_string()]
            },
        });
        Self {
            kind: FailureKind::Error,
            class,
            message: text,
            backtrace: chain,
            error: Some(Box::new(error)),
        }
    }

    /// A failure of middleware's making, with the `error_class` and the message that are written into the payload.
    pub fn other(class: impl Into<String>, message: impl Into<String>) -> Self {
        Self::plain(FailureKind::Other, &class.into(), message.into())
    }

    /// An error of a `tower` layer, whose type is not known any more.
    #[cfg(feature = "tower")]
    pub(crate) fn of_layer(error: Box<dyn Error + Send + Sync>) -> Self {
        let message = Message::of(&*error);
        Self {
            kind: FailureKind::Other,
            ..Self::from_error(error, Some(message))
        }
    }

    /// A payload that is no job.
    pub(crate) fn malformed(error: &MalformedPayload) -> Self {
        Self::plain(
            FailureKind::Undecodable,
            "sancho::MalformedPayload",
            error.to_string(),
        )
    }

    /// A class that nobody here serves. It may be another process's, or of a crate that is not linked.
    pub(crate) fn unknown_class(class: &str) -> Self {
        let message = format!(
            "no job of class {class:?} is linked into this program; if one is, in a crate that nothing names, write `use that_crate as _;`"
        );
        Self::plain(FailureKind::Other, "sancho::UnknownClass", message)
    }

    /// Arguments that are not the job's.
    pub(crate) fn undecodable(error: &ArgsError) -> Self {
        Self::plain(
            FailureKind::Undecodable,
            "sancho::ArgumentError",
            error.to_string(),
        )
    }

    /// A job that ran too long.
    pub(crate) fn timed_out(limit: Duration) -> Self {
        Self::plain(
            FailureKind::TimedOut,
            "sancho::Timeout",
            format!("the job ran longer than its timeout of {limit:?}"),
        )
    }

    /// A job that was recovered this often from processes that died.
    pub(crate) fn lost(recoveries: u32) -> Self {
        let message = format!("the process that held the job died, {recoveries} times in 72 hours");
        Self::plain(FailureKind::Lost, "sancho::Lost", message)
    }

    /// A job that panicked.
    pub(crate) fn panicked(message: &str, place: Option<&str>) -> Self {
        let (told, line) = match place {
            Some(place) => (
                format!("{message} (panicked at {place})"),
                format!("{place}: {message}"),
            ),
            None => (message.to_owned(), message.to_owned()),
        };
        Self {
            backtrace: vec![line],
            ..Self::plain(FailureKind::Panicked, "sancho::Panic", told)
        }
    }

    fn plain(kind: FailureKind, class: &str, message: String) -> Self {
        Self {
            kind,
            class: class.to_owned(),
            backtrace: vec![message.clone()],
            message,
            error: None,
        }
    }
}

/// The lines of a text that are not blank.
fn lines(text: &str) -> Vec<String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_line_for_each_of_its_errors() {
        let report = "no mail\n\nCaused by:\n    0: refused\n    1: the line is cut\n";
        assert_eq!(
            lines(report),
            ["no mail", "Caused by:", "0: refused", "1: the line is cut"]
        );
    }

    #[test]
    fn the_backtrace_of_a_panic_begins_with_its_place() {
        let failure = Failure::panicked("no way", Some("src/a.rs:1:2"));
        assert_eq!(failure.message, "no way (panicked at src/a.rs:1:2)");
        assert_eq!(failure.backtrace, ["src/a.rs:1:2: no way"]);
    }
}
