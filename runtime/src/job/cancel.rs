//! Giving an execution up: why, since when, and whether something of it still runs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

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

/// How long a job that was cancelled may take to see that and return, and a job that ran too long until nothing of it runs any more.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// What an execution shares with those who may give it up. The first reason counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cancel(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    given_up: OnceLock<(CancelReason, Instant)>,
    told: Notify,
    /// When it will have run too long.
    deadline: OnceLock<Instant>,
    /// How long it may take to end by itself once it was cancelled by a user, beyond [`GRACE`]: it has hooks for that.
    to_end: OnceLock<Duration>,
    ends_itself: AtomicBool,
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

    /// Says how long its hooks may take, if it has some.
    pub(crate) fn set_hook_timeout(&self, timeout: Duration) {
        let _ = self.0.to_end.set(timeout);
    }

    /// Says that it ends by itself when it is cancelled by a user, hooks included: it drops what it is at after [`GRACE`].
    pub(crate) fn ends_itself(&self) {
        self.0.ends_itself.store(true, Ordering::Release);
    }

    /// How long it may take to end once it was given up.
    pub(crate) fn grace(&self) -> Duration {
        let ends_itself = self.0.ends_itself.load(Ordering::Acquire);
        let hooks = match self.reason() {
            Some(CancelReason::User) if ends_itself => self.0.to_end.get().copied(),
            _ => None,
        };
        GRACE + hooks.unwrap_or_default()
    }

    /// Completes [`GRACE`] after it was cancelled by a user.
    pub(crate) async fn user_is_out_of_patience(&self) {
        self.given_up().await;
        if self.reason() != Some(CancelReason::User) {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(GRACE).await;
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
    fn only_one_that_ends_itself_has_longer_and_only_for_a_user() {
        let hooks = Duration::from_secs(10);
        let given_up = |ends_itself: bool, reason| {
            let cancel = Cancel::default();
            cancel.set_hook_timeout(hooks);
            if ends_itself {
                cancel.ends_itself();
            }
            cancel.give_up(reason);
            cancel.grace()
        };
        assert_eq!(given_up(true, CancelReason::User), GRACE + hooks);
        assert_eq!(given_up(false, CancelReason::User), GRACE);
        assert_eq!(given_up(true, CancelReason::Timeout), GRACE);
    }

    #[test]
    fn one_says_how_it_ended() {
        let cancel = Cancel::default();
        assert!(cancel.conclude());
        assert!(!cancel.clone().conclude());
    }
}
