//! Jobs that iterate and are cancelled by hand.

use std::sync::Arc;
use std::time::Duration;

use sancho::api::Cancelled;
use sancho::iterate::{self, Source};
use sancho::store::TimedSet;
use sancho::{Context, JobId, job};
use tokio::runtime::Handle;

use super::{Error, Gate, push, serve};
use crate::harness::{Flow, Report, Running, flows};
use crate::stepped::{kept, until_processed};

/// Takes two seconds more once it is cancelled, on its thread. Without a gate that opens, it does not return at all.
#[job(iterate = ones, on_cancel = undone)]
fn stands(
    _: u64,
    returns: bool,
    #[state] to: &Report,
    #[state] gate: &Gate,
    #[context] cx: &Context,
) {
    to.send("stands".into()).unwrap();
    Handle::current().block_on(async {
        cx.cancelled().await;
        if returns {
            tokio::time::sleep(Duration::from_secs(2)).await;
        } else {
            gate.acquire().await.unwrap().forget();
        }
    });
    to.send("has returned".into()).unwrap();
}

fn ones(
    _: bool,
    _: &Report,
    _: &Gate,
    _: &Context,
    _: Option<u64>,
) -> impl Source<Item = u64, Cursor = u64> {
    iterate::range(1..3, None)
}

async fn undone(_: bool, to: &Report, _: &Gate, _: &Context) {
    to.send("undone".into()).unwrap();
}

/// Fails when it is cancelled, and has a hook for that.
#[job(iterate = twos, on_cancel = mended)]
async fn gives_up(_: u64, #[state] to: &Report, #[context] cx: &Context) -> Result<(), Error> {
    to.send("listens".into()).unwrap();
    cx.cancelled().await;
    Err("it was cancelled".into())
}

fn twos(_: &Report, _: &Context, cursor: Option<u64>) -> impl Source<Item = u64, Cursor = u64> {
    iterate::range(1..3, cursor)
}

async fn mended(to: &Report, _: &Context) {
    to.send("mended".into()).unwrap();
}

async fn is_discarded(flow: &Flow, jid: &JobId) {
    until_processed(flow, 1).await;
    assert_eq!(flow.counters().await, (1, 0));
    assert_eq!(kept(flow, jid).await, None);
    for set in TimedSet::ALL {
        assert!(flow.timed(set).await.is_empty(), "{set:?}");
    }
}

async fn an_item_that_runs_on_is_dropped_by_a_cancel_and_the_hooks_are_called(flow: Flow) {
    let jid = push(&flow, 9).await;
    let mut started = serve(&flow);
    let begun = ["start 9", "from None", "1 of 9"];
    assert_eq!(started.seen.some(3).await, begun);
    let told = flow.api().cancel(jid.as_str()).await.unwrap();
    assert_eq!(told, Cancelled::Told);
    assert_eq!(started.seen.some(2).await, ["cancel 9", "stop 9"]);
    is_discarded(&flow, &jid).await;
    started.running.stop().await;
    assert!(started.seen.is_silent());
}

async fn an_item_that_fails_since_it_was_cancelled_keeps_no_hook_away(flow: Flow) {
    let (server, mut seen) = flow.server();
    let running = Running::start(server.only::<gives_up>());
    let jid = gives_up::set()
        .client(&flow.client)
        .perform_async()
        .await
        .unwrap();
    assert_eq!(seen.next().await, "listens");
    flow.api().cancel(jid.as_str()).await.unwrap();
    assert_eq!(seen.next().await, "mended");
    is_discarded(&flow, &jid).await;
    running.stop().await;
    assert!(seen.is_silent());
}

async fn an_item_on_its_thread_is_waited_for_before_the_hook(flow: Flow) {
    let (server, mut seen) = flow.server();
    let server = server.only::<stands>().state(Gate::new(0));
    let running = Running::start(server);
    let jid = stands::set()
        .client(&flow.client)
        .perform_async(true)
        .await
        .unwrap();
    assert_eq!(seen.next().await, "stands");
    flow.api().cancel(jid.as_str()).await.unwrap();
    assert_eq!(seen.some(2).await, ["has returned", "undone"]);
    is_discarded(&flow, &jid).await;
    running.stop().await;
    assert!(seen.is_silent());
}

async fn an_item_that_never_returns_is_stuck_and_has_no_hook(flow: Flow) {
    let (server, mut seen) = flow.server();
    let gate = Arc::new(Gate::new(0));
    let server = server.only::<stands>().state_arc(gate.clone());
    let running = Running::start(server.hook_timeout(Duration::from_millis(100)));
    let jid = stands::set()
        .client(&flow.client)
        .perform_async(false)
        .await
        .unwrap();
    assert_eq!(seen.next().await, "stands");
    flow.api().cancel(jid.as_str()).await.unwrap();
    is_discarded(&flow, &jid).await;
    gate.add_permits(1);
    assert_eq!(seen.next().await, "has returned");
    running.stop().await;
    assert!(seen.is_silent());
}

flows! {
    an_item_that_runs_on_is_dropped_by_a_cancel_and_the_hooks_are_called
    an_item_that_fails_since_it_was_cancelled_keeps_no_hook_away
    an_item_on_its_thread_is_waited_for_before_the_hook
    an_item_that_never_returns_is_stuck_and_has_no_hook
}
