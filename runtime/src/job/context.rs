//! What a running job can ask about itself.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::JobId;
use super::cancel::{Cancel, CancelReason};
use super::checkpoint::{Checkpoints, Memory};

/// What a job that takes `#[context] cx: &Context` can ask about its execution.
#[derive(Clone, Debug)]
pub struct Context(Arc<ContextParts>);

/// The parts of a context.
#[derive(Clone, Debug)]
pub(crate) struct ContextParts {
    pub(crate) jid: JobId,
    pub(crate) queue: Arc<str>,
    pub(crate) attempt: u32,
    pub(crate) recoveries: u32,
    pub(crate) tags: Vec<String>,
    pub(crate) stopping: CancellationToken,
    pub(crate) cancel: Cancel,
    pub(crate) checkpoints: Arc<Checkpoints>,
}

impl ContextParts {
    /// Those of a run that no server watches: inline, or in a unit test.
    pub(crate) fn detached(jid: JobId, queue: Arc<str>, tags: Vec<String>) -> Self {
        Self {
            jid,
            queue,
            attempt: 1,
            recoveries: 0,
            tags,
            stopping: CancellationToken::new(),
            cancel: Cancel::default(),
            checkpoints: Arc::new(Checkpoints::new(Memory)),
        }
    }
}

impl Context {
    pub(crate) fn new(parts: ContextParts) -> Self {
        Self(Arc::new(parts))
    }

    /// The job's id.
    #[must_use]
    pub fn jid(&self) -> &JobId {
        &self.0.jid
    }

    /// The queue it was taken from.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.0.queue
    }

    /// Which execution this is, from 1: one more than the failures so far.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// How many times it was taken over from a process that died.
    #[must_use]
    pub fn recoveries(&self) -> u32 {
        self.0.recoveries
    }

    /// The job's tags.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        &self.0.tags
    }

    /// Whether the process is stopping. A long job that returns [`Outcome::Interrupted`](super::Outcome::Interrupted)
    /// then goes back to the head of its queue and costs no retry.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.is_cancelled()
    }

    /// Completes when the process begins to stop.
    ///
    /// # Cancel safety
    /// It can be dropped and asked again.
    pub async fn stopping(&self) {
        self.0.stopping.cancelled().await;
    }

    /// Whether this execution has been given up: it was cancelled, it ran out of time, or its claim was lost. What it still
    /// does is in vain.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancel.reason().is_some()
    }

    /// Why this execution has been given up; `None` as long as it has not.
    ///
    /// One that was cancelled by a [`User`](CancelReason::User) has a second to see it and to return; then its future is
    /// dropped. With any other reason that happens at once: an async job sees it in what is dropped with its future, a job that is not
    /// async, which nothing can stop, while it runs on.
    ///
    /// ```
    /// use sancho::{CancelReason, Context, job};
    ///
    /// #[job(timeout = "10m")]
    /// fn resize(photo: u64, #[context] cx: &Context) {
    ///     for size in [64, 256, 1_024] {
    ///         if let Some(reason) = cx.cancel_reason() {
    ///             println!("photo {photo} is given up: {reason:?}");
    ///             return;
    ///         }
    ///         // ...
    ///         # let _ = size;
    ///     }
    /// }
    ///
    /// resize(1, &sancho::testing::context());
    /// ```
    #[must_use]
    pub fn cancel_reason(&self) -> Option<CancelReason> {
        self.0.cancel.reason()
    }

    /// Completes when this execution is given up.
    ///
    /// # Cancel safety
    /// It can be dropped and asked again.
    pub async fn cancelled(&self) {
        self.0.cancel.given_up().await;
    }

    pub(crate) fn cancel(&self) -> &Cancel {
        &self.0.cancel
    }

    pub(crate) fn checkpoints(&self) -> &Checkpoints {
        &self.0.checkpoints
    }
}
