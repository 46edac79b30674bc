//! How an execution came to an end.

use super::payload::MalformedPayload;
use super::{Failure, Outcome};

/// How an execution came to an end: what the job returned, or what became of it.
#[derive(Debug)]
pub enum Ending {
    /// The job returned.
    Returned(Outcome),
    /// It failed: an error, a panic, a timeout, arguments that are not its own, an unknown class.
    Failed(Failure),
    /// Its bytes are no JSON object. Nothing ran, and it counts as nothing, as in Sidekiq.
    Unreadable(Failure),
    /// Somebody cancelled it.
    Cancelled,
    /// The process stopped before it was done, or before it began.
    HandedBack,
    /// The process that held it died.
    Lost,
}

impl Ending {
    /// How a payload that is no job ends: as a failed job where it is an object, since Ruby would try to run it, else as one
    /// that cannot be read.
    pub(crate) fn malformed(error: &MalformedPayload) -> Self {
        let failure = Failure::malformed(error);
        if error.is_object() {
            Self::Failed(failure)
        } else {
            Self::Unreadable(failure)
        }
    }

    /// What went wrong, where something did.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) | Self::Unreadable(failure) => Some(failure),
            Self::Returned(_) | Self::Cancelled | Self::HandedBack | Self::Lost => None,
        }
    }

    /// Whether something ran to an end, so that it counts as processed.
    #[must_use]
    pub fn is_processed(&self) -> bool {
        match self {
            Self::Returned(outcome) => !matches!(outcome, Outcome::Interrupted),
            Self::Failed(_) | Self::Cancelled => true,
            Self::Unreadable(_) | Self::HandedBack | Self::Lost => false,
        }
    }

    /// Whether it counts as failed.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        matches!(
            self,
            Self::Failed(_) | Self::Returned(Outcome::Retry(_) | Outcome::Dead(_))
        )
    }
}
