//! Jobs that are called once for each item of a source.

mod cancelled;

use std::time::Duration;

use sancho::iterate::{self, Source};
use sancho::store::TimedSet;
use sancho::{Context, JobId, Outcome, job};

use crate::harness::{Flow, Report, flows};
use crate::stepped::{Error, FailAt, Gate, Started, kept, until_processed};

/// Tells of each item, and does it when it is let or is to stop. Every hook tells that it was called, with what.
#[job(
    iterate = numbers,
    on_start = start,
    on_resume = resume,
    on_stop = stop,
    on_cancel = cancel,
    on_complete = complete,
)]
async fn each(
    #[state] to: &Report,
    n: u64,
    last: u64,
    #[state] gate: &Gate,
    #[state] fail_at: &FailAt,
    #[context] cx: &Context,
) -> Result<(), Error> {
    to.send(format!("{n} of {last}"))?;
    tokio::select! {
        step = gate.acquire() => step?.forget(),
        () = cx.stopping() => {}
    }
    if *fail_at == Some(n) {
        return Err(format!("no {n} today").into());
    }
    Ok(())
}

fn numbers(
    to: &Report,
    last: u64,
    _: &Gate,
    _: &FailAt,
    _: &Context,
    cursor: Option<u64>,
) -> impl Source<Item = u64, Cursor = u64> {
    to.send(format!("from {cursor:?}")).unwrap();
    iterate::range(1..last + 1, cursor)
}

macro_rules! hooks {
    ($($name:ident)*) => {$(
        async fn $name(
            to: &Report,
            last: u64,
            _: &Gate,
            _: &FailAt,
            _: &Context,
        ) -> Result<(), Error> {
            Ok(to.send(format!("{} {last}", stringify!($name)))?)
        }
    )*};
}

hooks!(start resume stop cancel complete);

/// Ends as its second item asks.
#[job(iterate = words, on_stop = stopped, on_complete = completed)]
async fn obeys(
    word: String,
    _second: String,
    #[state] to: &Report,
) -> Result<Outcome, std::fmt::Error> {
    to.send(word.clone()).unwrap();
    match &*word {
        "snooze" => Ok(Outcome::Snooze(Duration::from_secs(60))),
        "discard" => Ok(Outcome::Discard("as asked".into())),
        _ => Ok(Outcome::Done),
    }
}

fn words(
    second: String,
    _: &Report,
    cursor: Option<u64>,
) -> Result<impl Source<Item = String, Cursor = u64>, std::fmt::Error> {
    if second == "no source" {
        return Err(std::fmt::Error);
    }
    Ok(iterate::slice(
        ["first".into(), second, "third".into()],
        cursor,
    ))
}

async fn stopped(_: String, to: &Report) {
    to.send("stopped".into()).unwrap();
}

async fn completed(_: String, to: &Report) {
    to.send("completed".into()).unwrap();
}

/// A plain function, called on the blocking pool.
#[job(iterate = words)]
fn blocks(word: String, second: String, #[state] to: &Report) {
    to.send(format!("{word} {second}")).unwrap();
}

#[derive(Debug, serde::Deserialize)]
struct Row {
    name: String,
}

/// A job over a CSV file.
#[job(iterate = rows)]
async fn imports(row: Row, _file: String, #[state] to: &Report) {
    to.send(row.name).unwrap();
}

fn rows(file: String, _: &Report, cursor: Option<u64>) -> iterate::Csv<Row> {
    iterate::csv(file, cursor)
}

fn serve(flow: &Flow) -> Started {
    serve_failing_at(flow, None)
}

fn serve_failing_at(flow: &Flow, fail_at: FailAt) -> Started {
    Started::with(flow, fail_at, |server| {
        let server = server.only::<each>().only::<obeys>().only::<blocks>();
        server.only::<imports>().lease(Duration::from_secs(1))
    })
}

async fn push(flow: &Flow, last: u64) -> JobId {
    let push = each::set().client(&flow.client).perform_async(last);
    push.await.unwrap()
}

async fn a_job_is_called_once_for_each_item_with_its_hooks_around(flow: Flow) {
    let jid = push(&flow, 3).await;
    let before = flow.queue("default").await;
    let mut first = serve(&flow);
    let begun = ["start 3", "from None", "1 of 3"];
    assert_eq!(first.seen.some(3).await, begun);
    assert_eq!(first.step().await, "2 of 3");
    first.running.stop().await;
    // The item under way is done; the next one is where the next run begins.
    assert_eq!(first.seen.next().await, "stop 3");
    assert_eq!(flow.queue("default").await, before);
    let state = kept(&flow, &jid).await.unwrap();
    assert_eq!((state.executions, state.cursor.as_deref()), (1, Some("3")));

    let mut second = serve(&flow);
    let begun = ["resume 3", "from Some(3)", "3 of 3"];
    assert_eq!(second.seen.some(3).await, begun);
    assert_eq!(second.step().await, "stop 3");
    assert_eq!(second.seen.next().await, "complete 3");
    until_processed(&flow, 1).await;
    assert_eq!(flow.counters().await, (1, 0));
    assert_eq!(kept(&flow, &jid).await, None);
    second.running.stop().await;
    assert!(second.seen.is_silent());
}

async fn an_item_that_failed_comes_again(flow: Flow) {
    let jid = push(&flow, 3).await;
    let mut started = serve_failing_at(&flow, Some(2));
    let begun = ["start 3", "from None", "1 of 3"];
    assert_eq!(started.seen.some(3).await, begun);
    assert_eq!(started.step().await, "2 of 3");
    started.gate.add_permits(1);
    flow.until_timed(TimedSet::Retry, 1).await;
    assert_eq!(kept(&flow, &jid).await.unwrap().cursor.unwrap(), "2");
    assert!(started.seen.is_silent(), "a run that failed has no hooks");
    flow.pass(Duration::from_secs(60));
    flow.wake_promoter().await;
    let again = ["resume 3", "from Some(2)", "2 of 3"];
    assert_eq!(started.seen.some(3).await, again);
    started.running.stop().await;
}

async fn a_crash_goes_back_to_the_last_cursor_that_was_written(flow: Flow) {
    push(&flow, 9).await;
    let mut first = serve(&flow);
    first.seen.some(3).await;
    flow.pass(Duration::from_secs(5));
    assert_eq!(first.step().await, "2 of 9");
    assert_eq!(first.step().await, "3 of 9");
    first.running.kill().await;
    let mut second = serve(&flow);
    flow.pass(Duration::from_secs(60));
    let again = ["resume 9", "from Some(2)", "2 of 9"];
    assert_eq!(second.seen.some(3).await, again);
    second.running.stop().await;
}

async fn a_cancelled_job_is_done_without_its_other_items(flow: Flow) {
    let jid = push(&flow, 9).await;
    let mut started = serve(&flow);
    started.seen.some(3).await;
    flow.api().cancel_iteration(jid.as_str()).await.unwrap();
    assert_eq!(started.step().await, "2 of 9", "it is not looked for yet");
    flow.pass(Duration::from_secs(5));
    assert_eq!(started.step().await, "cancel 9");
    assert_eq!(started.seen.next().await, "stop 9");
    until_processed(&flow, 1).await;
    assert_eq!(flow.counters().await, (1, 0));
    assert_eq!(kept(&flow, &jid).await, None);
    started.running.stop().await;
    assert!(started.seen.is_silent());
}

async fn a_job_that_was_cancelled_before_it_ran_does_nothing(flow: Flow) {
    let jid = push(&flow, 9).await;
    flow.api().cancel_iteration(jid.as_str()).await.unwrap();
    let mut started = serve(&flow);
    assert_eq!(started.seen.some(2).await, ["cancel 9", "stop 9"]);
    until_processed(&flow, 1).await;
    assert_eq!(kept(&flow, &jid).await, None);
    started.running.stop().await;
    assert!(started.seen.is_silent());
}

async fn an_item_may_end_the_run(flow: Flow) {
    let mut started = serve(&flow);
    for (second, wanted, left, processed) in [
        (
            "done",
            &["first", "done", "third", "stopped", "completed"][..],
            None,
            1,
        ),
        ("snooze", &["first", "snooze", "stopped"], Some("1"), 2),
        ("discard", &["first", "discard", "stopped"], None, 3),
        ("no source", &[], None, 4),
    ] {
        let push = obeys::set().client(&flow.client);
        let jid = push.perform_async(second.to_owned()).await.unwrap();
        assert_eq!(started.seen.some(wanted.len()).await, wanted);
        until_processed(&flow, processed).await;
        let state = kept(&flow, &jid).await;
        assert_eq!(
            state.and_then(|state| state.cursor).as_deref(),
            left,
            "{second}"
        );
    }
    let failed = flow.timed(TimedSet::Retry).await;
    assert_eq!(
        crate::harness::field(&failed[0].payload, "error_class"),
        "core::fmt::Error"
    );
    started.running.stop().await;
}

async fn items_may_be_done_on_the_blocking_pool(flow: Flow) {
    let mut started = serve(&flow);
    let push = blocks::set().client(&flow.client);
    push.perform_async("x".into()).await.unwrap();
    assert_eq!(started.seen.some(3).await, ["first x", "x x", "third x"]);
    until_processed(&flow, 1).await;
    started.running.stop().await;
}

async fn the_rows_of_a_csv_file_are_items(flow: Flow) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.csv");
    std::fs::write(&file, "id,name\n1,Ada\n2,\"Grace\nHopper\"\n").unwrap();
    let mut started = serve(&flow);
    let push = imports::set().client(&flow.client);
    push.perform_async(file.to_str().unwrap().into())
        .await
        .unwrap();
    assert_eq!(started.seen.some(2).await, ["Ada", "Grace\nHopper"]);
    until_processed(&flow, 1).await;
    let push = imports::set().client(&flow.client);
    push.perform_async("no/such.csv".into()).await.unwrap();
    let failed = flow.until_timed(TimedSet::Retry, 1).await;
    let message = crate::harness::field(&failed[0].payload, "error_message");
    assert!(
        message.as_str().unwrap().contains("no/such.csv"),
        "{message}"
    );
    started.running.stop().await;
}

flows! {
    a_job_is_called_once_for_each_item_with_its_hooks_around
    an_item_that_failed_comes_again
    a_crash_goes_back_to_the_last_cursor_that_was_written
    a_cancelled_job_is_done_without_its_other_items
    a_job_that_was_cancelled_before_it_ran_does_nothing
    an_item_may_end_the_run
    items_may_be_done_on_the_blocking_pool
    the_rows_of_a_csv_file_are_items
}
