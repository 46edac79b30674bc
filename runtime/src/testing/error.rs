//! Jobs that a test could not run to a good end.

use super::Enqueued;
use crate::job::Failure;

/// A job that failed in a test, or could not be run there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// It ran and failed, or asked to be tried again or to be given up. It was settled as in production: it waits for another try,
    /// or is in the dead set, or was discarded.
    #[error("{job} failed: {failure}")]
    #[non_exhaustive]
    Failed {
        /// The job, as it was when it ran.
        job: Box<Enqueued>,
        /// How it failed.
        failure: Box<Failure>,
    },
    /// It did not run and is still enqueued: state is missing, nobody here serves its class, or two jobs do.
    #[error("{job} cannot be run in this test: {reason}")]
    #[non_exhaustive]
    Unrunnable {
        /// The job.
        job: Box<Enqueued>,
        /// What is missing, and what to do.
        reason: String,
    },
    /// There was no job to run.
    #[error("{0}")]
    Empty(String),
    /// So many have run that there seems to be no end.
    #[error(
        "{ran} jobs have run and more are enqueued: a job seems to enqueue itself, or to put itself off, for ever"
    )]
    #[non_exhaustive]
    Endless {
        /// How many have run.
        ran: usize,
    },
}

impl RunError {
    /// The job, where there is one.
    #[must_use]
    pub fn job(&self) -> Option<&Enqueued> {
        match self {
            Self::Failed { job, .. } | Self::Unrunnable { job, .. } => Some(job),
            Self::Empty(_) | Self::Endless { .. } => None,
        }
    }

    /// How it failed, where it ran.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed { failure, .. } => Some(failure),
            _ => None,
        }
    }

    /// The error that the job returned, where it is an `E`.
    #[must_use]
    pub fn error<E: 'static>(&self) -> Option<&E> {
        self.failure()?.error.as_ref()?.downcast_ref()
    }
}
