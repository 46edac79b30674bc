//! What a job's type can be asked in a test.

use std::future::Future;

use super::stage::{Stage, Which};
use super::{EnqueuedJob, RunError};
use crate::job::Job;

/// What a job's type can be asked in a test that has a [`fake`](super::fake()): `use sancho::testing::TestJobs as _;`, then
/// `welcome_email::jobs()`.
///
/// # Panics
/// All of it, where neither this runtime nor this thread has a fake.
pub trait TestJobs: Job + Sized {
    /// The jobs of this type that are enqueued or scheduled, in the order in which they were pushed. Those that wait for another
    /// try are [`Fake::retries`](super::Fake::retries). Sidekiq's `HardJob.jobs`.
    #[must_use]
    #[track_caller]
    fn jobs() -> Vec<EnqueuedJob<Self>> {
        let stage = Stage::current();
        let jobs = stage.enqueued(Which::Of(Self::DEFINITION));
        jobs.into_iter().map(EnqueuedJob::new).collect()
    }

    /// Runs the jobs of this type that are due, and those that they enqueue of it, until there are none, and says how many ran.
    /// Sidekiq's `HardJob.drain`, but that a job for later waits for the [clock](super::Fake::advance).
    ///
    /// # Errors
    /// The first job that fails or cannot be run; those after it stay enqueued.
    ///
    /// # Cancel safety
    /// Dropped, the job that was running is gone from the fake.
    fn drain() -> impl Future<Output = Result<usize, RunError>> + Send {
        let stage = Stage::current();
        async move { stage.drain(Which::Of(Self::DEFINITION)).await }
    }

    /// Runs the first job of this type that is due. Sidekiq's `HardJob.perform_one`.
    ///
    /// # Errors
    /// Where it fails or cannot be run; where none is due.
    ///
    /// # Cancel safety
    /// As [`drain`](Self::drain).
    fn perform_one() -> impl Future<Output = Result<(), RunError>> + Send {
        let stage = Stage::current();
        async move { stage.perform_one(Which::Of(Self::DEFINITION)).await }
    }

    /// Drops the jobs of this type that are enqueued or scheduled. Sidekiq's `HardJob.clear`.
    #[track_caller]
    fn clear() {
        Stage::current().clear(Which::Of(Self::DEFINITION));
    }
}

impl<J: Job> TestJobs for J {}
