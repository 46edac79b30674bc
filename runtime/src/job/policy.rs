//! What a job's attribute says about its failures.
//!
//! The rules are typed where they are written. What is kept of them are function pointers over the boxed error: one that
//! middleware made is not the job's own, so they say nothing about it.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::payload::Record;
use super::{Failure, FailureKind, IntoOutcome, JobError, Spec, StateInfo, States};

/// What a job's attribute says about its failures; each says `None` about an error that is not the job's own.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// `retry_on` and `discard_on`: the first that matches.
    pub rule: Option<fn(&AnyError) -> Option<Rule>>,
    /// `retry_in`.
    pub retry_in: Option<Delay>,
    /// `retries_exhausted`.
    pub exhausted: Option<Exhaust>,
    /// The state that the callbacks borrow.
    pub states: &'static [StateInfo],
}

impl Policy {
    /// Nothing.
    pub const NONE: Self = Self {
        rule: None,
        retry_in: None,
        exhausted: None,
        states: &[],
    };
}

/// A job's own error, as a [`Failure`] carries it.
#[doc(hidden)]
pub type AnyError = dyn Any + Send + Sync;

/// The error that the job of this `Spec` fails with.
#[doc(hidden)]
pub type ErrorOf<S> = <<S as Spec>::Output as IntoOutcome>::Error;

/// `retry_in`, as it is called.
#[doc(hidden)]
pub type Delay = fn(u32, &AnyError, &States) -> Option<RetryIn>;

/// `retries_exhausted`, as it is called.
#[doc(hidden)]
pub type Exhaust =
    for<'a> fn(
        &'a Record,
        Failure,
        &'a States,
    ) -> Pin<Box<dyn Future<Output = Result<Exhausted, String>> + Send + 'a>>;

/// A rule that an error matched.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// `discard_on`.
    Discard,
    /// `retry_on`.
    Retry(RetryRule),
}

/// `retry_on`.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct RetryRule {
    /// The text of its pattern and guard, under which its attempts are counted.
    pub pattern: &'static str,
    /// How long the job waits.
    pub wait: Wait,
    /// How many executions may end so, the first included.
    pub attempts: u32,
}

/// How long a job waits that a rule tries again.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Wait {
    /// This long.
    Time(Duration),
    /// As long as Sidekiq's jobs wait, by the executions that ended so.
    Exponential,
    /// As this function says of the executions that ended so before.
    By(fn(u32) -> Duration),
}

/// When a failed job is tried again: what the `retry_in` of `#[job]` returns.
///
/// ```
/// use std::time::Duration;
///
/// use sancho::{RetryIn, job};
///
/// #[derive(Debug, thiserror::Error)]
/// pub enum GatewayError {
///     #[error("too many requests")]
///     RateLimit,
///     #[error("the card is not valid")]
///     NoCard,
///     #[error("the gateway is down")]
///     Down,
/// }
///
/// fn wait_for(count: u32, error: &GatewayError) -> RetryIn {
///     match error {
///         GatewayError::RateLimit => RetryIn::After(Duration::from_secs(300) * count.pow(2)),
///         GatewayError::NoCard => RetryIn::Kill,
///         GatewayError::Down => RetryIn::Default,
///     }
/// }
///
/// #[job(retry_in = wait_for)]
/// async fn pay(order: u64) -> Result<(), GatewayError> {
///     Err(GatewayError::Down)
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RetryIn {
    /// After the usual time: `count⁴ + 15` seconds.
    #[default]
    Default,
    /// After this time, to which Sidekiq's jitter is added; zero is the usual time, as in Sidekiq. So is one of more than 100 years
    /// ([`FARTHEST`](super::FARTHEST)), which is reported as a mistake.
    After(Duration),
    /// Not at all: the job is exhausted.
    Kill,
    /// Not at all: the job is discarded, without `retries_exhausted`.
    Discard,
}

/// What becomes of a job that has used up its tries: what its `retries_exhausted` may return.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Exhausted {
    /// It goes to the dead set, unless its `dead` is `false`. What `()` means as well.
    #[default]
    Bury,
    /// It is discarded.
    Discard,
}

/// What a `retries_exhausted` may return: `()`, [`Exhausted`], or a `Result` of one of them. An error is logged, and then the
/// job is buried.
#[diagnostic::on_unimplemented(
    message = "`retries_exhausted` cannot return `{Self}`",
    label = "nobody would read this value",
    note = "return `()`, `sancho::Exhausted`, or a `Result` of one of them"
)]
pub trait IntoExhausted {
    /// What it says, or what went wrong.
    ///
    /// # Errors
    /// The text of the callback's own.
    fn into_exhausted(self) -> Result<Exhausted, String>;
}

impl IntoExhausted for () {
    fn into_exhausted(self) -> Result<Exhausted, String> {
        Ok(Exhausted::Bury)
    }
}

impl IntoExhausted for Exhausted {
    fn into_exhausted(self) -> Result<Exhausted, String> {
        Ok(self)
    }
}

impl<T: IntoExhausted, E: JobError> IntoExhausted for Result<T, E> {
    fn into_exhausted(self) -> Result<Exhausted, String> {
        self.map_err(|error| format!("{error:#}"))?.into_exhausted()
    }
}

/// What a job died of: what its `retries_exhausted` is given. Displayed, it is what went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause<E> {
    /// The job's own error.
    Error(E),
    /// It panicked, with this message.
    Panicked(String),
    /// It ran longer than its `timeout`.
    TimedOut(String),
    /// The processes that ran it died, three times within 72 hours.
    Lost(String),
    /// Its arguments are not those of the job.
    Undecodable(String),
    /// Anything else: an error of middleware, or a job that returned [`Outcome::Dead`](super::Outcome::Dead), or
    /// [`Outcome::Retry`](super::Outcome::Retry) once too often.
    Other(Failure),
}

impl<E: 'static> Cause<E> {
    #[doc(hidden)]
    #[must_use]
    pub fn of(mut failure: Failure) -> Self {
        failure.error = match failure.error.map(Box::<AnyError>::downcast::<E>) {
            Some(Ok(error)) => return Self::Error(*error),
            Some(Err(other)) => Some(other),
            None => None,
        };
        let text = failure.message.clone();
        match failure.kind {
            FailureKind::Panicked => Self::Panicked(text),
            FailureKind::TimedOut => Self::TimedOut(text),
            FailureKind::Lost => Self::Lost(text),
            FailureKind::Undecodable => Self::Undecodable(text),
            _ => Self::Other(failure),
        }
    }
}

impl<E: fmt::Display> fmt::Display for Cause<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Panicked(text)
            | Self::TimedOut(text)
            | Self::Lost(text)
            | Self::Undecodable(text) => f.write_str(text),
            Self::Other(failure) => f.write_str(&failure.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: FailureKind, error: Option<Box<AnyError>>) -> Failure {
        Failure {
            kind,
            class: "C".to_owned(),
            message: "M".to_owned(),
            backtrace: Vec::new(),
            error,
        }
    }

    #[test]
    fn an_error_of_another_type_is_not_the_jobs_own() {
        let own = Cause::<i32>::of(failure(FailureKind::Error, Some(Box::new(7))));
        assert!(matches!(own, Cause::Error(7)), "{own:?}");
        let other = Cause::<i32>::of(failure(FailureKind::Error, Some(Box::new("7"))));
        let Cause::Other(failure) = other else {
            panic!("{other:?}");
        };
        assert!(failure.error.is_some_and(|error| error.is::<&str>()));
    }

    #[test]
    fn every_kind_of_failure_is_a_cause() {
        let cause = |kind| format!("{:?}", Cause::<i32>::of(failure(kind, None)));
        for (kind, expected) in [
            (FailureKind::Panicked, "Panicked(\"M\")"),
            (FailureKind::TimedOut, "TimedOut(\"M\")"),
            (FailureKind::Lost, "Lost(\"M\")"),
            (FailureKind::Undecodable, "Undecodable(\"M\")"),
        ] {
            assert_eq!(cause(kind), expected);
        }
        assert!(cause(FailureKind::Other).starts_with("Other(Failure"));
    }

    #[test]
    fn a_callback_returns_a_word_or_a_result_of_one() {
        assert_eq!(().into_exhausted(), Ok(Exhausted::Bury));
        let discard: Result<Exhausted, std::io::Error> = Ok(Exhausted::Discard);
        assert_eq!(discard.into_exhausted(), Ok(Exhausted::Discard));
        let failed: Result<(), String> = Err("no answer".to_owned());
        assert_eq!(failed.into_exhausted(), Err("no answer".to_owned()));
    }
}
