//! Panics of user code, with their message and place.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::pin::Pin;
use std::sync::Once;
use std::task::{Context, Poll};

use super::Failure;

thread_local! {
    /// Where this thread panicked last.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes every later panic leave its place behind. The hook that was there is called as before.
pub(crate) fn remember_places() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            let place = info.location().map(ToString::to_string);
            // A thread that is being torn down has no locals any more.
            let _ = PLACE.try_with(|last| *last.borrow_mut() = place);
            before(info);
        }));
    });
}

/// Calls `f`; a panic of it is a failure.
pub(crate) fn caught<T>(f: impl FnOnce() -> T) -> Result<T, Failure> {
    // What `f` had borrowed is not looked at again: the execution is over.
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| failure(payload.as_ref()))
}

/// A future whose panics are failures.
pub(crate) struct Caught<F>(Option<Pin<Box<F>>>);

impl<F: Future> Caught<F> {
    pub(crate) fn new(future: F) -> Self {
        Self(Some(Box::pin(future)))
    }
}

impl<F> Drop for Caught<F> {
    /// A future that is given up, as after its timeout, may panic while it is dropped.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let future = self.0.take();
            let _ = caught(|| drop(future));
        }
    }
}

impl<T, F: Future<Output = Result<T, Failure>>> Future for Caught<F> {
    type Output = Result<T, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = &mut self.0 else {
            return Poll::Pending;
        };
        match caught(|| future.as_mut().poll(cx)) {
            Ok(poll) => poll,
            Err(failure) => {
                // A destructor may panic as well, while what panicked before is dropped.
                let future = self.0.take();
                let _ = caught(|| drop(future));
                Poll::Ready(Err(failure))
            }
        }
    }
}

fn failure(payload: &(dyn Any + Send)) -> Failure {
    let message = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    let place = PLACE.with(|last| last.borrow_mut().take());
    Failure::panicked(&message, place.as_deref())
}
