//! What one push may say differently from its job.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Client;
use crate::job::{Backtrace, JobId, Retry};

/// Options of one push; what is not set is the job's own.
#[doc(hidden)]
#[derive(Clone, Debug, Default)]
pub struct SetOptions {
    pub(super) client: Option<Client>,
    pub(super) queue: Option<String>,
    pub(super) retry: Option<Retry>,
    pub(super) retry_for: Option<Duration>,
    pub(super) retry_queue: Option<String>,
    pub(super) dead: Option<bool>,
    pub(super) backtrace: Option<Backtrace>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) jid: Option<JobId>,
    pub(super) wait: Option<Duration>,
    pub(super) wait_until: Option<DateTime<Utc>>,
    pub(super) spread: Option<Duration>,
}

/// The generated type that [`Set`](super::Set) derefs to.
#[doc(hidden)]
pub trait TypedSet: Send + Sync + 'static {
    /// One that pushes with these options.
    fn new(options: SetOptions) -> Self;
    /// The options.
    fn options(&mut self) -> &mut SetOptions;
}

/// The functions that set options, for a type with `with(self, impl FnOnce(&mut SetOptions)) -> Self`.
macro_rules! option_setters {
    () => {
        /// Pushes to this queue.
        pub fn queue(self, queue: impl Into<String>) -> Self {
            self.with(|options| options.queue = Some(queue.into()))
        }

        /// Tries again this often: a number, `true` (the default) or `false` (not at all).
        pub fn retry(self, retry: impl Into<$crate::job::Retry>) -> Self {
            self.with(|options| options.retry = Some(retry.into()))
        }

        /// Tries again for this long after the first failure, instead of so many times: from a second to a billion of them.
        /// Fractions of a second are cut off.
        pub fn retry_for(self, window: Duration) -> Self {
            self.with(|options| options.retry_for = Some(window))
        }

        /// Tries again from this queue, instead of the one that the job was taken from.
        pub fn retry_queue(self, queue: impl Into<String>) -> Self {
            self.with(|options| options.retry_queue = Some(queue.into()))
        }

        /// Whether the job goes to the dead set when it is exhausted (the default), or is discarded.
        pub fn dead(self, dead: bool) -> Self {
            self.with(|options| options.dead = Some(dead))
        }

        /// Keeps the backtrace of a failure: so many lines of it, all of it (`true`) or nothing (`false`, the default).
        pub fn backtrace(self, backtrace: impl Into<$crate::job::Backtrace>) -> Self {
            self.with(|options| options.backtrace = Some(backtrace.into()))
        }

        /// Carries these tags instead of the job's own.
        pub fn tags<T: Into<String>>(self, tags: impl IntoIterator<Item = T>) -> Self {
            self.with(|options| options.tags = Some(tags.into_iter().map(Into::into).collect()))
        }

        /// Has this id, which must be new for every job: for instance one derived from what the job is about.
        pub fn jid(self, jid: JobId) -> Self {
            self.with(|options| options.jid = Some(jid))
        }

        /// Runs this much later.
        pub fn wait(self, delay: Duration) -> Self {
            self.with(|options| options.wait = Some(delay))
        }

        /// Runs at this time; a time that has passed means now.
        pub fn wait_until(self, at: DateTime<Utc>) -> Self {
            self.with(|options| options.wait_until = Some(at))
        }

        /// Runs at a random time of this interval, which begins when the job would have run otherwise: so the jobs of a bulk do
        /// not all run at once. Sidekiq's `spread_interval`.
        pub fn spread(self, interval: Duration) -> Self {
            self.with(|options| options.spread = Some(interval))
        }
    };
}
pub(super) use option_setters;
