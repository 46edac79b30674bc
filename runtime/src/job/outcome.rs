//! What a job may return.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt::{Debug, Display};
use std::time::Duration;

/// How a job that did not fail ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is done.
    Done,
    /// It runs again after this time; counts as a failure that was foreseen, and uses up a retry. After the usual time, where this is
    /// more than 100 years ([`FARTHEST`](super::FARTHEST)), which is reported.
    Retry(Duration),
    /// It runs again after this time; uses up no retry. More than 100 years are an error of the job, which is tried again as usual.
    Snooze(Duration),
    /// It saw [`Context::stopping`](super::Context::stopping) and left off: it goes back to the head of its queue.
    Interrupted,
    /// It is dropped, with this reason in the log.
    Discard(String),
    /// It goes to the dead set, with this reason.
    Dead(String),
}

/// A job's result: `()`, [`Outcome`], `Result<(), E>` or `Result<Outcome, E>`.
#[diagnostic::on_unimplemented(
    message = "a job cannot return `{Self}`",
    label = "nobody would read this value",
    note = "return `()`, `Result<(), E>`, `sancho::Outcome` or `Result<sancho::Outcome, E>`"
)]
pub trait IntoOutcome {
    /// What it fails with.
    type Error: JobError;

    /// The outcome, or the error.
    ///
    /// # Errors
    /// The job's own.
    fn into_outcome(self) -> Result<Outcome, Self::Error>;
}

/// What a job may fail with: any [`std::error::Error`], `anyhow::Error`, `Box<dyn Error + Send + Sync>`, `String`.
#[diagnostic::on_unimplemented(
    message = "a job cannot fail with `{Self}`",
    note = "implement `std::error::Error` for it, or use `anyhow::Error`, `Box<dyn Error + Send + Sync>` or `String`"
)]
pub trait JobError:
    Into<Box<dyn StdError + Send + Sync>> + Display + Debug + Send + Sync + Sized + 'static
{
}

#[diagnostic::do_not_recommend]
impl<E> JobError for E where
    E: Into<Box<dyn StdError + Send + Sync>> + Display + Debug + Send + Sync + 'static
{
}

/// What stands in the `Ok` of a job's result.
#[diagnostic::on_unimplemented(
    message = "a job cannot return `Result<{Self}, _>`",
    label = "nobody would read this value",
    note = "return `Result<(), E>` or `Result<sancho::Outcome, E>`"
)]
pub trait Success: Send + 'static {
    /// The outcome it means.
    fn outcome(self) -> Outcome;
}

impl Success for () {
    fn outcome(self) -> Outcome {
        Outcome::Done
    }
}

impl Success for Outcome {
    fn outcome(self) -> Outcome {
        self
    }
}

impl IntoOutcome for () {
    type Error = Never;

    fn into_outcome(self) -> Result<Outcome, Never> {
        Ok(Outcome::Done)
    }
}

impl IntoOutcome for Outcome {
    type Error = Never;

    fn into_outcome(self) -> Result<Outcome, Never> {
        Ok(self)
    }
}

impl<T: Success, E: JobError> IntoOutcome for Result<T, E> {
    type Error = E;

    fn into_outcome(self) -> Result<Outcome, E> {
        self.map(Success::outcome)
    }
}

/// The error of a job that cannot fail.
pub type Never = Infallible;
