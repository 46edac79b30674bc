//! A context for a unit test.

use std::ops::Deref;
use std::sync::Arc;

use crate::job::checkpoint::{Checkpoints, Memory};
use crate::job::{CancelReason, Context, ContextParts, JobId};

/// A context for calling a job's function in a unit test: first attempt, queue `default`, a random id, not stopping. What it
/// derefs to is the context, so `&context()` is a `&Context`. It keeps checkpoints: called again with the same context, the function
/// goes on.
///
/// ```
/// use sancho::testing::context;
/// use sancho::{Context, Outcome, job};
///
/// #[job]
/// async fn import(path: String, #[context] cx: &Context) -> Outcome {
///     if cx.is_stopping() {
///         return Outcome::Interrupted;
///     }
///     assert_eq!((path.as_str(), cx.attempt()), ("users.csv", 3));
///     Outcome::Done
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let cx = context().attempt(3).queue("imports");
/// assert_eq!(import("users.csv".into(), &cx).await, Outcome::Done);
/// cx.stop();
/// assert_eq!(import("users.csv".into(), &cx).await, Outcome::Interrupted);
/// # }
/// ```
#[must_use]
pub fn context() -> TestContext {
    let (jid, queue) = (JobId::random(), "default".into());
    TestContext::new(ContextParts::detached(jid, queue, Vec::new()))
}

/// The context of a unit test: what [`context`] gives. Its signals can be given while the job runs.
#[derive(Clone, Debug)]
pub struct TestContext {
    parts: ContextParts,
    context: Context,
}

impl TestContext {
    fn new(parts: ContextParts) -> Self {
        let context = Context::new(parts.clone());
        Self { parts, context }
    }

    /// Another one, which begins without checkpoints.
    fn with(mut self, change: impl FnOnce(&mut ContextParts)) -> Self {
        change(&mut self.parts);
        self.parts.checkpoints = Arc::new(Checkpoints::new(Memory));
        Self::new(self.parts)
    }

    /// Has this id.
    #[must_use]
    pub fn jid(self, jid: JobId) -> Self {
        self.with(|parts| parts.jid = jid)
    }

    /// Was taken from this queue.
    #[must_use]
    pub fn queue(self, queue: &str) -> Self {
        self.with(|parts| parts.queue = queue.into())
    }

    /// Is this execution of its job, from 1.
    #[must_use]
    pub fn attempt(self, attempt: u32) -> Self {
        self.with(|parts| parts.attempt = attempt)
    }

    /// Was taken over this often from a process that died.
    #[must_use]
    pub fn recoveries(self, recoveries: u32) -> Self {
        self.with(|parts| parts.recoveries = recoveries)
    }

    /// Has these tags.
    #[must_use]
    pub fn tags<T: Into<String>>(self, tags: impl IntoIterator<Item = T>) -> Self {
        self.with(|parts| parts.tags = tags.into_iter().map(Into::into).collect())
    }

    /// Tells the job that the process stops: [`Context::stopping`]. Clones and what they lent are told as well.
    pub fn stop(&self) {
        self.parts.stopping.cancel();
    }

    /// Tells the job that it is given up, and why: [`Context::cancelled`]. Clones and what they lent are told as well; the first
    /// reason counts.
    pub fn cancel(&self, reason: CancelReason) {
        self.parts.cancel.give_up(reason);
    }
}

impl Deref for TestContext {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}
