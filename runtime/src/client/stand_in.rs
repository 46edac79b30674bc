//! Who stands in for the default client in a test: found by tokio's runtime id, then by thread.
//!
//! Every test has a runtime of its own, or at least a thread, so tests that run side by side do not meet, and what a test spawns
//! is found with it. A program that never asks for a stand-in pays one relaxed load a push.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use tokio::runtime::{Handle, Id};

use super::{Client, Config};
use crate::job::{Failure, Timestamp};
use crate::store::{Tx, TxResult};

/// Whether a test has ever asked for a stand-in in this process. It stays so: a push that comes after its test has ended must not
/// reach a real store either.
static ASKED: AtomicBool = AtomicBool::new(false);

static STAND_INS: LazyLock<Mutex<HashMap<Test, Vec<Entry>>>> = LazyLock::new(Mutex::default);

/// What takes the place of the default client in a test.
pub(crate) trait StandIn: Any + fmt::Debug + Send + Sync {
    /// The client that pushes.
    fn client(self: Arc<Self>) -> Client;

    /// The time that pushes are counted from.
    fn now(&self) -> Timestamp;

    /// What [`init`](super::init) does where this stands in: takes over what surrounds a push. The store is not looked at.
    fn configure(&self, config: &Config);
}

/// What takes the transactions of a client that is of a test.
pub(crate) trait Sink: fmt::Debug + Send + Sync {
    /// Applies it.
    fn submit(&self, tx: Tx) -> Pin<Box<dyn Future<Output = Submitted> + Send + '_>>;
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Submitted {
    /// The store answered.
    Answered(TxResult),
    /// Its job ran at once and failed.
    Failed(Failure),
    /// Its job was to run at once and cannot.
    Unrunnable(String),
}

/// Where the pushes of a test go.
#[derive(Clone, Debug)]
pub(crate) enum Mode {
    /// To what stands in for the default client.
    StandIn(Arc<dyn StandIn>),
    /// To the default client, as in production.
    Real,
}

/// Where a push goes that names no client.
#[derive(Debug)]
pub(super) enum Way {
    Default,
    To(Client),
    /// No test owns it.
    Nowhere,
}

/// What is said of a push that no test owns.
pub(super) const UNOWNED: &str = "no test owns this push: `sancho::testing` is used in this process, but neither this tokio runtime nor this \
     thread has asked for a `fake()`, an `inline()` or a server of a test that still lives. Ask for it inside of the runtime \
     that pushes, push through a client (`.client(&fake.client())`), or ask for `sancho::testing::disable()` where the real \
     store is meant";

/// Where a push goes that names no client.
pub(super) fn way() -> Way {
    if !ASKED.load(Ordering::Relaxed) {
        return Way::Default;
    }
    match current() {
        Some(Mode::StandIn(stand_in)) => Way::To(stand_in.client()),
        Some(Mode::Real) => Way::Default,
        None => Way::Nowhere,
    }
}

/// The time that a push is counted from: of the client that it names, of the test that it belongs to, or of the host.
pub(super) fn now(client: Option<&Client>) -> Timestamp {
    match client {
        Some(client) => client.now(),
        None => match stand_in() {
            Some(stand_in) => stand_in.now(),
            None => Timestamp::from_wall_clock(),
        },
    }
}

/// What stands in for the default client here, if something does.
pub(crate) fn stand_in() -> Option<Arc<dyn StandIn>> {
    match current() {
        Some(Mode::StandIn(stand_in)) => Some(stand_in),
        Some(Mode::Real) | None => None,
    }
}

/// How the test here pushes, by its latest wish.
fn current() -> Option<Mode> {
    if !ASKED.load(Ordering::Relaxed) {
        return None;
    }
    let stand_ins = lock();
    let of = |test: &Test| {
        let latest = stand_ins.get(test)?.last()?;
        Some(latest.mode.clone())
    };
    Test::of_runtime()
        .and_then(|test| of(&test))
        .or_else(|| of(&Test::of_thread()))
}

/// Whom pushes belong to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Test {
    Runtime(Id),
    Thread(ThreadId),
}

impl Test {
    fn of_runtime() -> Option<Self> {
        Some(Self::Runtime(Handle::try_current().ok()?.id()))
    }

    fn of_thread() -> Self {
        Self::Thread(std::thread::current().id())
    }
}

#[derive(Debug)]
struct Entry {
    number: u64,
    mode: Mode,
}

/// Ends a stand-in when it is dropped. The one before it is back then.
#[derive(Debug)]
pub(crate) struct StandInGuard {
    test: Test,
    number: u64,
}

/// Lets the pushes of the current runtime, or, outside of one, of this thread, go there.
pub(crate) fn ask_for(mode: Mode) -> StandInGuard {
    let test = Test::of_runtime().unwrap_or_else(Test::of_thread);
    let mut stand_ins = lock();
    let entries = stand_ins.entry(test.clone()).or_default();
    let number = entries.last().map_or(0, |entry| entry.number + 1);
    entries.push(Entry { number, mode });
    // Under the lock, so that who sees it finds the entry.
    ASKED.store(true, Ordering::Relaxed);
    StandInGuard { test, number }
}

impl Drop for StandInGuard {
    fn drop(&mut self) {
        let mut stand_ins = lock();
        let Some(entries) = stand_ins.get_mut(&self.test) else {
            return;
        };
        let ended = entries
            .extract_if(.., |entry| entry.number == self.number)
            .collect::<Vec<_>>();
        if entries.is_empty() {
            stand_ins.remove(&self.test);
        }
        // What stood in may be dropped with it, and may have guards of its own.
        drop(stand_ins);
        drop(ended);
    }
}

/// Nothing that holds the lock can panic half-way.
fn lock() -> MutexGuard<'static, HashMap<Test, Vec<Entry>>> {
    STAND_INS.lock().unwrap_or_else(PoisonError::into_inner)
}
