//! What one push may say differently from its job.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Client;
use crate::job::{JobId, Retry};

/// Options of one push; what is not set is the job's own.
#[doc(hidden)]
#[derive(Clone, Debug, Default)]
pub struct SetOptions {
    pub(super) client: Option<Client>,
    pub(super) queue: Option<String>,
    pub(super) retry: Option<Retry>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) jid: Option<JobId>,
    pub(super) wait: Option<Duration>,
    pub(super) wait_until: Option<DateTime<Utc>>,
}

/// The generated type that [`Set`](super::Set) derefs to.
#[doc(hidden)]
pub trait TypedSet: Send + Sync + 'static {
    /// One that pushes with these options.
    fn new(options: SetOptions) -> Self;
    /// The options.
    fn options(&mut self) -> &mut SetOptions;
}
