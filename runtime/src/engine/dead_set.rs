//! What the dead set keeps.

use std::time::Duration;

use crate::job::Timestamp;
use crate::store::{Effect, TimedSet};

/// What the dead set keeps. The defaults are Sidekiq's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeadSet {
    /// One more than it keeps, as in Sidekiq. Defaults to 10,000.
    pub(crate) max_jobs: u64,
    /// For how long. Defaults to 180 days.
    pub(crate) timeout: Duration,
}

impl DeadSet {
    /// The effect that brings the dead set within its bounds.
    pub(crate) fn trim(self, now: Timestamp) -> Effect {
        Effect::Trim {
            set: TimedSet::Dead,
            before: now.before(self.timeout),
            keep: self.max_jobs.saturating_sub(1),
        }
    }
}

impl Default for DeadSet {
    fn default() -> Self {
        Self {
            max_jobs: 10_000,
            timeout: Duration::from_secs(180 * 24 * 60 * 60),
        }
    }
}
