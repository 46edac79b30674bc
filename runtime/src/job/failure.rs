//! What went wrong with an execution.

mod class;

use std::any::Any;
use std::fmt;
use std::time::Duration;

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

impl Failure {
    /// The error that a job returned.
    pub(crate) fn from_error<E: JobError>(error: E) -> Self {
        Self {
            kind: FailureKind::Error,
            class: class::of(&error),
            message: error.to_string(),
            error: Some(Box::new(error)),
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

    /// A job that panicked.
    pub(crate) fn panicked(message: &str, place: Option<&str>) -> Self {
        let message = match place {
            Some(place) => format!("{message} (panicked at {place})"),
            None => message.to_owned(),
        };
        Self::plain(FailureKind::Panicked, "sancho::Panic", message)
    }

    fn plain(kind: FailureKind, class: &str, message: String) -> Self {
        Self {
            kind,
            class: class.to_owned(),
            message,
            error: None,
        }
    }
}
