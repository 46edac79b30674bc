//! The jobs. Each reports its start, and its end where it has one.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sancho::iterate::{self, Source};
use sancho::{Context, Outcome, job};
use tokio::time::sleep;

use crate::kill::Kill;

/// How many jobs a bulk of the pusher has.
pub(crate) const BULK: u64 = 50;

fn start(kill: &Kill, n: u64, cx: &Context) {
    kill.log.write(&format!("start {n} {}", cx.recoveries()));
    kill.reach("InJob");
}

fn end(kill: &Kill, n: u64) {
    kill.log.write(&format!("end {n}"));
}

#[job]
pub(crate) async fn fast(n: u64, #[state] kill: &Kill, #[context] cx: &Context) {
    start(kill, n, cx);
    end(kill, n);
}

#[job]
pub(crate) async fn takes(n: u64, ms: u64, #[state] kill: &Kill, #[context] cx: &Context) {
    start(kill, n, cx);
    sleep(Duration::from_millis(ms)).await;
    end(kill, n);
}

/// Ends once there is a file at the path.
#[job]
pub(crate) async fn waits(n: u64, gate: String, #[state] kill: &Kill, #[context] cx: &Context) {
    start(kill, n, cx);
    while !Path::new(&gate).exists() {
        sleep(Duration::from_millis(2)).await;
    }
    end(kill, n);
}

/// A tick of the cron, told apart by its id.
#[job]
pub(crate) async fn ticked(#[state] kill: &Kill, #[context] cx: &Context) {
    kill.log.write(&format!("tick {}", cx.jid()));
}

/// Does item after item until there is a file at the path.
#[job(iterate = items)]
pub(crate) async fn counts(
    item: u64,
    n: u64,
    _gate: String,
    #[state] kill: &Kill,
    #[context] _cx: &Context,
) {
    kill.log.write(&format!("item {n} {item}"));
    sleep(Duration::from_millis(5)).await;
}

fn items(
    n: u64,
    gate: String,
    kill: &Kill,
    cx: &Context,
    cursor: Option<u64>,
) -> impl Source<Item = u64, Cursor = u64> + use<> {
    kill.log.write(&format!("start {n} {}", cx.recoveries()));
    let from = cursor.map_or_else(|| "nowhere".into(), |item| item.to_string());
    kill.log.write(&format!("from {n} {from}"));
    let items = (cursor.unwrap_or(0)..).map(|item| (item, item));
    iterate::iter(items.take_while(move |_| !Path::new(&gate).exists()))
}

/// Leaves off when the process stops.
#[job]
pub(crate) async fn leaves_off(
    n: u64,
    ms: u64,
    #[state] kill: &Kill,
    #[context] cx: &Context,
) -> Outcome {
    start(kill, n, cx);
    tokio::select! {
        () = sleep(Duration::from_millis(ms)) => {
            end(kill, n);
            Outcome::Done
        }
        () = cx.stopping() => Outcome::Interrupted,
    }
}

/// Fails the first time.
#[job]
pub(crate) async fn fails_once(
    n: u64,
    #[state] kill: &Kill,
    #[context] cx: &Context,
) -> Result<Outcome, String> {
    start(kill, n, cx);
    if cx.attempt() == 1 {
        return Ok(Outcome::Retry(Duration::ZERO));
    }
    end(kill, n);
    Ok(Outcome::Done)
}

/// Fails for good, by panicking.
#[job]
pub(crate) async fn panics(n: u64, #[state] kill: &Kill, #[context] cx: &Context) {
    start(kill, n, cx);
    end(kill, n);
    panic!("as it was told to");
}

/// Ends its process.
#[job]
pub(crate) async fn aborts(n: u64, #[state] kill: &Kill, #[context] cx: &Context) {
    start(kill, n, cx);
    std::process::abort();
}

/// Ends its process by asking for memory that is not there.
#[job]
pub(crate) async fn eats_memory(n: u64, #[state] kill: &Kill, #[context] cx: &Context) {
    start(kill, n, cx);
    let Rlimit { maximum, .. } = getrlimit(Resource::As);
    let current = Some(1 << 20);
    setrlimit(Resource::As, Rlimit { current, maximum }).expect("a limit can be lowered");
    std::hint::black_box(vec![1_u8; 1 << 30]);
    end(kill, n);
}

/// A blocking job that never returns.
#[job]
pub(crate) fn never_returns(n: u64, #[state] kill: &Kill, #[context] cx: &Context) {
    start(kill, n, cx);
    loop {
        std::thread::park();
    }
}

/// Takes no notice of being cancelled, and gives its thread back now and then.
#[job]
pub(crate) async fn ignores_cancellation(n: u64, #[state] kill: &Kill, #[context] cx: &Context) {
    start(kill, n, cx);
    loop {
        sleep(Duration::from_millis(5)).await;
    }
}

/// Never gives its thread back.
#[job]
pub(crate) async fn holds_its_thread(n: u64, #[state] kill: &Kill, #[context] cx: &Context) {
    start(kill, n, cx);
    loop {
        std::thread::park();
    }
}

/// Leaves a task and a thread behind that never end, and panics.
#[job]
pub(crate) async fn spawns_and_panics(n: u64, #[state] kill: &Kill, #[context] cx: &Context) {
    start(kill, n, cx);
    tokio::spawn(std::future::pending::<()>());
    tokio::task::spawn_blocking(|| {
        loop {
            std::thread::park();
        }
    });
    panic!("as it was told to");
}
