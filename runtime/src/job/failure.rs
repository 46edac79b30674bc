//! What went wrong with an execution.

use std::any::Any;
use std::fmt;

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
