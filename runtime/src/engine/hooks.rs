//! Lifecycle events, and the user's code at them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::Engine;
use super::shutdown::Stop;
use crate::job::panic::Caught;
use crate::job::{Failure, JobError, one_line};

/// What happens in the life of a server. Sidekiq's events.
///
/// Hooks of one event run one after the other: those of [`Startup`](Self::Startup), [`Heartbeat`](Self::Heartbeat) and
/// [`Beat`](Self::Beat) in the order in which they were added, the others in reverse. One that fails, panics or takes longer
/// than [`hook_timeout`](super::ServerBuilder::hook_timeout) is logged; the next one runs, and the server goes on. (In
/// Sidekiq a failing startup hook ends the process.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// The store is reached, and nothing was claimed yet: the server waits for these hooks.
    Startup,
    /// It claims nothing more: it was told to be quiet, or it stops.
    Quiet,
    /// It begins to stop. After those of [`Quiet`](Self::Quiet), while the jobs that run come to their end, and cut off with them when
    /// the shutdown timeout is over.
    Shutdown,
    /// It has stopped, and its jobs have ended or were handed back. Cut off 2.5 s after the shutdown timeout, or after 200 ms.
    Exit,
    /// It has shown itself to others for the first time. Once.
    Heartbeat,
    /// It has shown itself: every 5 s while jobs run, else every 10 s. Where hooks take longer than that, less often.
    Beat,
}

impl Event {
    /// Whether the hooks that were added last come first, as they do where things are undone.
    fn is_reversed(self) -> bool {
        matches!(self, Self::Quiet | Self::Shutdown | Self::Exit)
    }
}

/// What a hook returns: `()`, or `Result<(), E>` with any error.
#[diagnostic::on_unimplemented(
    message = "a hook cannot return `{Self}`",
    note = "return `()` or `Result<(), E>`"
)]
pub trait HookResult: Send + 'static {
    /// The error, as a failure.
    ///
    /// # Errors
    /// The hook's own.
    fn into_result(self) -> Result<(), Failure>;
}

impl HookResult for () {
    fn into_result(self) -> Result<(), Failure> {
        Ok(())
    }
}

impl<E: JobError> HookResult for Result<(), E> {
    fn into_result(self) -> Result<(), Failure> {
        self.map_err(|error| Failure::from_error(error, None))
    }
}

/// The hooks of a server, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub(super) struct Hooks {
    hooks: Vec<Hook>,
    beaten: Arc<Notify>,
}

#[derive(Clone)]
struct Hook {
    event: Event,
    call: Arc<dyn Fn() -> Called + Send + Sync>,
    name: &'static str,
}

type Called = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

impl Hooks {
    pub(super) fn add<F, R>(&mut self, event: Event, hook: F)
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output: HookResult> + Send + 'static,
    {
        let call = move || -> Called {
            let called = hook();
            Box::pin(async { called.await.into_result() })
        };
        self.hooks.push(Hook {
            event,
            call: Arc::new(call),
            name: std::any::type_name::<F>(),
        });
    }

    fn has(&self, event: Event) -> bool {
        self.hooks.iter().any(|hook| hook.event == event)
    }

    fn of(&self, event: Event) -> Vec<&Hook> {
        let mut hooks: Vec<_> = self
            .hooks
            .iter()
            .filter(|hook| hook.event == event)
            .collect();
        if event.is_reversed() {
            hooks.reverse();
        }
        hooks
    }

    /// Calls the hooks of an event, each for so long at most, until `end` completes.
    pub(super) async fn fire(&self, event: Event, limit: Duration, end: impl Future<Output = ()>) {
        let work = async {
            for hook in self.of(event) {
                hook.run(limit).await;
            }
        };
        tokio::select! {
            biased;
            () = work => {}
            () = end => {
                tracing::error!(?event, "the hooks of {event:?} were cut off: there was no more time for them");
            }
        }
    }

    /// Says that the process has shown itself.
    pub(super) fn beat(&self) {
        self.beaten.notify_one();
    }
}

impl Hook {
    async fn run(&self, limit: Duration) {
        let Self { event, call, name } = self;
        let call = call.clone();
        // On a task of its own: where it holds its thread, its time is over all the same.
        let called = tokio::spawn(Caught::new(async move { call().await }));
        let wrong = match timeout(limit, AbortOnDropHandle::new(called)).await {
            // Where it has not run to its end, the runtime is being shut down.
            Ok(Ok(Ok(())) | Err(_)) => return,
            Ok(Ok(Err(failure))) => format!("failed: {}", one_line(failure)),
            Err(_) => format!("took longer than {limit:?}, it is not waited for"),
        };
        tracing::error!(?event, hook = name, "a hook {wrong}");
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.event, self.name)
    }
}

/// Whether hooks wait for the end of the server, or for beats.
pub(super) struct Awaited {
    pub(super) end: bool,
    pub(super) beats: bool,
}

impl Hooks {
    pub(super) fn awaited(&self) -> Awaited {
        Awaited {
            end: self.has(Event::Quiet) || self.has(Event::Shutdown),
            beats: self.has(Event::Heartbeat) || self.has(Event::Beat),
        }
    }
}

/// Calls the hooks of quiet and shutdown, until both are over or there is no more time.
pub(super) async fn see_the_end(engine: Arc<Engine>, stop: Arc<Stop>) {
    let (hooks, limit) = (&engine.hooks, engine.config.hook_timeout);
    let over = || async {
        stop.begun.cancelled().await;
        sleep_until(stop.deadline()).await;
    };
    engine.handle.quieted().cancelled().await;
    hooks.fire(Event::Quiet, limit, over()).await;
    stop.begun.cancelled().await;
    hooks.fire(Event::Shutdown, limit, over()).await;
}

/// Calls the hooks of beats until the process has left. A duty of its own, since nobody waits for them.
pub(super) async fn see_beats(engine: Arc<Engine>, left: CancellationToken) {
    let (hooks, limit) = (&engine.hooks, engine.config.hook_timeout);
    let work = async {
        let mut event = Event::Heartbeat;
        loop {
            hooks.beaten.notified().await;
            if event == Event::Heartbeat {
                hooks.fire(event, limit, std::future::pending()).await;
                event = Event::Beat;
            }
            hooks.fire(event, limit, std::future::pending()).await;
        }
    };
    left.run_until_cancelled(work).await;
}

/// How long hooks of the exit have at least.
const LEAST_EXIT: Duration = Duration::from_millis(200);

/// Calls the hooks of the exit.
pub(super) async fn exit(engine: &Engine, gone_by: Instant) {
    let by = gone_by.max(Instant::now() + LEAST_EXIT);
    let limit = engine.config.hook_timeout;
    engine.hooks.fire(Event::Exit, limit, sleep_until(by)).await;
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[derive(Clone, Default)]
    struct Calls(Arc<Mutex<Vec<&'static str>>>);

    impl Calls {
        fn hook(&self, name: &'static str) -> impl Fn() -> std::future::Ready<()> + use<> {
            let calls = self.clone();
            move || {
                calls.0.lock().unwrap().push(name);
                std::future::ready(())
            }
        }

        fn taken(&self) -> Vec<&'static str> {
            std::mem::take(&mut *self.0.lock().unwrap())
        }
    }

    #[tokio::test]
    async fn what_is_undone_is_undone_in_reverse() {
        let (calls, mut hooks) = (Calls::default(), Hooks::default());
        for event in [Event::Startup, Event::Exit] {
            hooks.add(event, calls.hook("a"));
            hooks.add(event, calls.hook("b"));
        }
        hooks
            .fire(Event::Startup, LIMIT, std::future::pending())
            .await;
        assert_eq!(calls.taken(), ["a", "b"]);
        hooks.fire(Event::Exit, LIMIT, std::future::pending()).await;
        assert_eq!(calls.taken(), ["b", "a"]);
        hooks.fire(Event::Beat, LIMIT, std::future::pending()).await;
        assert!(calls.taken().is_empty());
    }

    async fn panics() {
        panic!("no hook")
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_panics_fails_or_hangs_stops_no_other() {
        let (calls, mut hooks) = (Calls::default(), Hooks::default());
        hooks.add(Event::Startup, panics);
        hooks.add(Event::Startup, || -> std::future::Ready<()> {
            panic!("not even a future")
        });
        hooks.add(Event::Startup, || async {
            Err::<(), _>("no luck".to_owned())
        });
        hooks.add(Event::Startup, std::future::pending::<()>);
        hooks.add(Event::Startup, calls.hook("last"));
        let start = Instant::now();
        hooks
            .fire(Event::Startup, LIMIT, std::future::pending())
            .await;
        assert_eq!(calls.taken(), ["last"]);
        assert!(start.elapsed() >= LIMIT && start.elapsed() < LIMIT * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_an_end_to_all_of_them() {
        let (calls, mut hooks) = (Calls::default(), Hooks::default());
        hooks.add(Event::Startup, std::future::pending::<()>);
        hooks.add(Event::Startup, calls.hook("never"));
        hooks
            .fire(Event::Startup, LIMIT, tokio::time::sleep(LIMIT / 2))
            .await;
        assert!(calls.taken().is_empty());
    }
}
