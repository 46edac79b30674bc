//! What can go wrong with a push.

use std::error::Error as StdError;
use std::sync::Arc;

use crate::job::{Failure, JobId};

/// A push that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// The job cannot be pushed as it is: an argument that cannot be JSON, a bad queue name, a time out of range.
    /// Nothing was pushed.
    #[error("job `{class}` cannot be pushed: {reason}")]
    #[non_exhaustive]
    Invalid {
        /// The job's class.
        class: String,
        /// What is wrong.
        reason: String,
    },
    /// A bulk had no items: its iterator or its stream gave none. Nothing was pushed.
    ///
    /// Sidekiq's `perform_bulk([])` gives an empty array. A bulk without items is more often a query that went wrong than what was
    /// meant, so it is said here; where no items are fine, this is the error to let pass.
    #[error(
        "the bulk of job `{class}` is empty: nothing was pushed; where that may be, let `PushError::EmptyBulk` pass"
    )]
    #[non_exhaustive]
    EmptyBulk {
        /// The jobs' class.
        class: String,
    },
    /// Client middleware stopped it. Nothing was pushed.
    #[error("the push was stopped by {by}: {reason}")]
    #[non_exhaustive]
    Stopped {
        /// The middleware's type.
        by: String,
        /// What it said.
        reason: String,
    },
    /// There is no store to push to, or it gave no answer in time. Nothing was pushed.
    #[error("job {jid} was not pushed: {reason}")]
    #[non_exhaustive]
    Unavailable {
        /// The job.
        jid: JobId,
        /// What is wrong, and what to do.
        reason: String,
        /// What lies behind it.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The store refused it (out of memory, no permission). Nothing was pushed.
    #[error("job {jid} was not pushed: the store refused it: {reason}")]
    #[non_exhaustive]
    Refused {
        /// The job.
        jid: JobId,
        /// What the store said.
        reason: String,
    },
    /// The push left and its answer was lost: the job may have been pushed. Awaiting the same [`Push`](super::Push)
    /// again within 60 s finds out, and pushes it if it was not: never twice.
    #[error(
        "it is unknown whether job {jid} was pushed: the store's answer was lost; await the same push again within 60 s, \
         and it is pushed once"
    )]
    #[non_exhaustive]
    Unknown {
        /// The job.
        jid: JobId,
    },
    /// In a test that asked for [`testing::inline`](fn@crate::testing::inline), the job ran at its push, and failed.
    #[error("job {jid} ran at its push, as the test asked, and failed: {failure}")]
    #[non_exhaustive]
    Failed {
        /// The job.
        jid: JobId,
        /// How.
        failure: Arc<Failure>,
    },
}

impl PushError {
    pub(crate) fn invalid(class: &str, reason: impl Into<String>) -> Self {
        Self::Invalid {
            class: class.to_owned(),
            reason: reason.into(),
        }
    }
}

/// A bulk that stopped, or that had no items ([`PushError::EmptyBulk`]). Slices of 1,000 (or of 64 MiB of arguments) are pushed
/// whole or not at all, in order.
#[derive(Debug, thiserror::Error)]
#[error("{}{source}", how_far(.accepted.len(), *.failed_at, .source))]
#[non_exhaustive]
pub struct BulkError {
    /// The jobs that were pushed.
    pub accepted: Vec<JobId>,
    /// The index of the item that is wrong, or of the first of the slice that failed; 0 where there were no items.
    pub failed_at: usize,
    /// The jobs of the slice whose answer was lost: pushed all, or none.
    pub unknown: Vec<JobId>,
    /// Why.
    pub source: PushError,
}

fn how_far(accepted: usize, failed_at: usize, source: &PushError) -> String {
    match source {
        PushError::EmptyBulk { .. } => String::new(),
        _ => format!("{accepted} jobs were pushed, then the one at index {failed_at} failed: "),
    }
}

/// An inline run that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InlineError {
    /// It cannot be pushed: its arguments cannot be JSON, or client middleware stopped it.
    #[error(transparent)]
    Push(PushError),
    /// It needs `#[state]` that the client was not given.
    #[error(
        "job `{job}` needs `#[state]` of type `{type_name}`: add `.state(...)` to the client's configuration"
    )]
    #[non_exhaustive]
    MissingState {
        /// The function's name.
        job: &'static str,
        /// The type's name.
        type_name: &'static str,
    },
    /// The job failed.
    #[error("{0}")]
    Failed(Failure),
}
