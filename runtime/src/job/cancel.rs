//! Giving an execution up: why, since when, and whether something of it still runs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;
use tokio::time::Instant;

/// Why an execution was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelReason {
    /// Somebody cancelled it, with [`cancel`](crate::cancel) for instance.
    User,
    /// It ran longer than its `timeout`.
    Timeout,
    /// The process stops, and the time that running jobs have for that is over.
    Shutdown,
    /// The process was taken for dead: the job was given to another.
    LeaseLost,
}

/// What an execution shares with those who may give it up. The first reason counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cancel(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    given_up: OnceLock<(CancelReason, Instant)>,
    told: Notify,
    /// When it will have run too long.
    deadline: OnceLock<Instant>,
    /// Whether somebody has said how it ended.
    concluded: AtomicBool,
    /// How many functions of it run on the blocking pool.
    functions: AtomicUsize,
    returned: Notify,
}

impl Cancel {
    /// Gives it up, unless it is already.
    pub(crate) fn give_up(&self, reason: CancelReason) {
        if self.0.given_up.set((reason, Instant::now())).is_ok() {
            self.0.told.notify_waiters();
        }
    }

    pub(crate) fn reason(&self) -> Option<CancelReason> {
        self.0.given_up.get().map(|(reason, _)| *reason)
    }

    /// When it was given up.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.0.given_up.get().map(|(_, since)| *since)
    }

    /// Completes when it is given up.
    pub(crate) async fn given_up(&self) {
        let told = self.0.told.notified();
        tokio::pin!(told);
        // Registered before the reason is read, so that none falls between the two.
        told.as_mut().enable();
        if self.reason().is_none() {
            told.await;
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0.deadline.get().copied()
    }

    pub(crate) fn set_deadline(&self, deadline: Instant) {
        let _ = self.0.deadline.set(deadline);
    }

    /// Takes it upon the caller to say how it ended: `false` where somebody else did.
    pub(crate) fn conclude(&self) -> bool {
        !self.0.concluded.swap(true, Ordering::AcqRel)
    }

    /// A function of it begins; it has returned when this is dropped.
    pub(crate) fn begin(&self) -> Function {
        self.0.functions.fetch_add(1, Ordering::AcqRel);
        Function(self.clone())
    }

    /// Whether no function of it runs.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.functions.load(Ordering::Acquire) == 0
    }

    /// Completes when no function of it runs.
    pub(crate) async fn idle(&self) {
        loop {
            let returned = self.0.returned.notified();
            tokio::pin!(returned);
            returned.as_mut().enable();
            if self.is_idle() {
                return;
            }
            returned.await;
        }
    }
}

/// A function of an execution, on the blocking pool.
#[derive(Debug)]
pub(crate) struct Function(Cancel);

impl Drop for Function {
    fn drop(&mut self) {
        let Inner {
            functions,
            returned,
            ..
        } = &*self.0.0;
        functions.fetch_sub(1, Ordering::AcqRel);
        returned.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_counts() {
        let cancel = Cancel::default();
        assert_eq!(cancel.reason(), None);
        let told = tokio::spawn({
            let cancel = cancel.clone();
            async move { cancel.given_up().await }
        });
        cancel.give_up(CancelReason::Timeout);
        cancel.give_up(CancelReason::User);
        told.await.unwrap();
        cancel.given_up().await;
        assert_eq!(cancel.reason(), Some(CancelReason::Timeout));
    }

    #[tokio::test]
    async fn it_is_idle_when_its_last_function_has_returned() {
        let cancel = Cancel::default();
        cancel.idle().await;
        let functions = [cancel.begin(), cancel.begin()];
        let idle = tokio::spawn({
            let cancel = cancel.clone();
            async move { cancel.idle().await }
        });
        assert!(!cancel.is_idle());
        drop(functions);
        idle.await.unwrap();
        assert!(cancel.is_idle());
    }

    #[test]
    fn one_says_how_it_ended() {
        let cancel = Cancel::default();
        assert!(cancel.conclude());
        assert!(!cancel.clone().conclude());
    }
}
