//! `job::set()`: one push that differs from its job.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Client;
use super::options::{SetOptions, TypedSet, option_setters};
use crate::job::{Job, JobId};

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

    option_setters!();

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
