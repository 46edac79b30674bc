//! Jobs that are not async, on the blocking pool.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::AbortHandle;

use super::{Call, Failure, Outcome, current, panic};

/// How many blocking jobs run in this process.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// How many blocking jobs run in this process, those that were given up included.
pub(crate) fn running() -> usize {
    RUNNING.load(Ordering::Acquire)
}

/// Runs a job's function on the blocking pool. Dropping the future does not stop the function: nothing can. The call's context knows
/// whether it still runs.
///
/// # Errors
/// The function's failure; its panic.
pub async fn blocking(
    call: Call,
    job: impl FnOnce(Call) -> Result<Outcome, Failure> + Send + 'static,
) -> Result<Outcome, Failure> {
    let running = (Counted::new(), call.context().cancel().begin());
    let (current, span) = (current::snapshot(), tracing::Span::current());
    let work = tokio::task::spawn_blocking(move || {
        let _running = running;
        let job = || span.in_scope(|| current.sync_scope(|| job(call)));
        // Caught on this thread, which knows where it panicked.
        panic::caught(job).and_then(|result| result)
    });
    let _guard = Unstarted(work.abort_handle());
    match work.await {
        Ok(result) => result,
        // Panics are caught, so the pool is being shut down.
        Err(error) => Err(Failure::panicked(&error.to_string(), None)),
    }
}

/// Dropped with the future: a function that has not begun, since the pool is full, does not begin any more.
struct Unstarted(AbortHandle);

impl Drop for Unstarted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Counted;

impl Counted {
    fn new() -> Self {
        RUNNING.fetch_add(1, Ordering::AcqRel);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::AcqRel);
    }
}
