//! What one push may say differently from its job.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{JobId, Retry};

/// Options of one push; what is not set is the job's own.
#[derive(Clone, Debug, Default)]
pub struct SetOptions {
    /// Another queue.
    pub queue: Option<String>,
    /// Other retries.
    pub retry: Option<Retry>,
    /// Other tags.
    pub tags: Option<Vec<String>>,
    /// An id of one's own.
    pub jid: Option<JobId>,
    /// Runs this much later.
    pub wait: Option<Duration>,
    /// Runs at this time; wins over `wait`.
    pub wait_until: Option<DateTime<Utc>>,
}
