//! `job::set()`: one push that differs from its job.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Client;
use super::options::{SetOptions, TypedSet};
use crate::job::{Job, JobId, Retry};

/// Options for the pushes that follow: `welcome_email::set().queue("critical").perform_async(42)`.
///
/// Derefs to the job's own typed functions, so their arguments are checked as those of the static ones are.
#[must_use = "options do nothing until a `perform_*` follows"]
pub struct Set<J: Job<Typed: TypedSet>> {
    typed: J::Typed,
}

impl<J: Job<Typed: TypedSet>> Set<J> {
    pub(crate) fn new() -> Self {
        Self {
            typed: J::Typed::new(SetOptions::default()),
        }
    }

    /// Pushes to this queue.
    pub fn queue(self, queue: impl Into<String>) -> Self {
        self.with(|options| options.queue = Some(queue.into()))
    }

    /// Tries again this often: a number, `true` (the default) or `false` (not at all).
    pub fn retry(self, retry: impl Into<Retry>) -> Self {
        self.with(|options| options.retry = Some(retry.into()))
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

    /// Pushes through this client instead of the default one.
    pub fn client(self, client: &Client) -> Self {
        self.with(|options| options.client = Some(client.clone()))
    }

    fn with(mut self, change: impl FnOnce(&mut SetOptions)) -> Self {
        change(self.typed.options());
        self
    }
}

impl<J: Job<Typed: TypedSet>> Deref for Set<J> {
    type Target = J::Typed;

    fn deref(&self) -> &J::Typed {
        &self.typed
    }
}

impl<J: Job<Typed: TypedSet>> fmt::Debug for Set<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Set<{}>", J::DEFINITION.name)
    }
}
