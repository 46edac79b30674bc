//! Jobs that go on where they left off: checkpoints and progress.

use std::time::Duration;

use sancho::api::{Cancelled, JobProgress};
use sancho::runtime::ServerBuilder;
use sancho::store::{ClaimRequest, Owner, Registration, Source, TimedSet};
use sancho::{Cause, Checkpoint, Context, Exhausted, JobId, Outcome, Record, job};
use sancho_tests::Kind;

use crate::harness::{Flow, Report, Running, field, flows};
use crate::stepped::{Error, FailAt, Gate, Started, kept, until_processed};

const LEASE: Duration = Duration::from_secs(1);

/// How often checkpoints are written.
const EVERY: Duration = Duration::from_secs(5);

/// Counts, a step each time that it is let, and one more when it is to stop.
#[job]
async fn counts(
    last: u64,
    #[state] to: &Report,
    #[state] gate: &Gate,
    #[state] fail_at: &FailAt,
    #[context] cx: &Context,
) -> Result<Outcome, Error> {
    let from = cx.cursor::<u64>().await?.unwrap_or(0);
    to.send(format!("from {from}"))?;
    for n in from + 1..=last {
        tokio::select! {
            step = gate.acquire() => step?.forget(),
            () = cx.stopping() => {}
        }
        if *fail_at == Some(n) {
            return Err(format!("no {n} today").into());
        }
        cx.progress(n, last).await;
        let told = cx.checkpoint(&n).await?;
        to.send(format!("{n} {told:?}"))?;
        if told.should_stop() {
            return Ok(Outcome::Interrupted);
        }
    }
    Ok(Outcome::Done)
}

/// Counts on, whatever it is told.
#[job]
async fn ignores(#[state] to: &Report, #[state] gate: &Gate, #[context] cx: &Context) {
    let mut n = cx.cursor::<u64>().await.unwrap().unwrap_or(0);
    loop {
        n += 1;
        let told = cx.checkpoint(&n).await.unwrap();
        to.send(format!("{n} {told:?}")).unwrap();
        gate.acquire().await.unwrap().forget();
    }
}

/// Ends as it is asked to, after a checkpoint.
#[job(retry = 0)]
async fn ends(how: String, #[context] cx: &Context) -> Result<Outcome, Error> {
    let _: Checkpoint = cx.checkpoint(&how).await?;
    match &*how {
        "done" => Ok(Outcome::Done),
        "discarded" => Ok(Outcome::Discard("as asked".into())),
        "snoozed" => Ok(Outcome::Snooze(Duration::from_secs(60))),
        _ => Err("as asked".into()),
    }
}

/// Fails after a checkpoint, and is discarded in the end.
#[job(retry = 0, retries_exhausted = discards)]
async fn is_discarded_in_the_end(#[context] cx: &Context) -> Result<(), Error> {
    let _: Checkpoint = cx.checkpoint(&1).await?;
    Err("as always".into())
}

async fn discards(_: &Record, _: &Cause<Error>) -> Exhausted {
    Exhausted::Discard
}

fn serve(flow: &Flow) -> Started {
    serve_failing_at(flow, None)
}

fn serve_failing_at(flow: &Flow, fail_at: FailAt) -> Started {
    serve_with(flow, fail_at, |server| server.lease(LEASE))
}

fn serve_with(
    flow: &Flow,
    fail_at: FailAt,
    tune: impl FnOnce(ServerBuilder) -> ServerBuilder,
) -> Started {
    Started::with(flow, fail_at, |server| {
        let server = server.only::<counts>().only::<ignores>().only::<ends>();
        let server = server.only::<is_discarded_in_the_end>();
        tune(server.shutdown_timeout(Duration::from_millis(50)))
    })
}

async fn push_counts(flow: &Flow, last: u64) -> JobId {
    let push = counts::set().client(&flow.client).perform_async(last);
    push.await.unwrap()
}

async fn cursor(flow: &Flow, jid: &JobId) -> Option<String> {
    kept(flow, jid).await?.cursor
}

async fn a_job_that_was_interrupted_goes_on_where_it_was(flow: Flow) {
    let jid = push_counts(&flow, 4).await;
    let before = flow.queue("default").await;
    let mut first = serve(&flow);
    assert_eq!(first.seen.next().await, "from 0");
    assert_eq!(first.step().await, "1 GoOn");
    assert_eq!(kept(&flow, &jid).await, None, "nothing is due yet");
    flow.pass(Duration::from_secs(2));
    first.running.stop().await;
    assert_eq!(first.seen.next().await, "2 Stop");
    assert_eq!(flow.queue("default").await, before);
    let state = kept(&flow, &jid).await.unwrap();
    assert_eq!((state.executions, state.cursor.as_deref()), (1, Some("2")));
    assert_eq!(state.runtime, Duration::from_secs(2));
    assert_eq!(state.progress, Some(JobProgress { done: 2, total: 4 }));
    assert_eq!(flow.counters().await, (0, 0));

    let mut second = serve(&flow);
    assert_eq!(second.seen.next().await, "from 2");
    assert_eq!(second.step().await, "3 GoOn");
    assert_eq!(second.step().await, "4 GoOn");
    until_processed(&flow, 1).await;
    assert_eq!(kept(&flow, &jid).await, None, "what is done is forgotten");
    assert_eq!(flow.counters().await, (1, 0));
    second.running.stop().await;
}

async fn a_job_that_does_not_stop_is_handed_back_with_its_cursor(flow: Flow) {
    let push = ignores::set().client(&flow.client).perform_async();
    let jid = push.await.unwrap();
    let before = flow.queue("default").await;
    let mut first = serve(&flow);
    assert_eq!(first.seen.next().await, "1 GoOn");
    assert_eq!(first.step().await, "2 GoOn");
    assert_eq!(kept(&flow, &jid).await, None);
    first.running.stop().await;
    assert_eq!(flow.queue("default").await, before);
    assert_eq!(cursor(&flow, &jid).await.as_deref(), Some("2"));
    let mut second = serve(&flow);
    assert_eq!(second.seen.next().await, "3 GoOn");
    second.running.stop().await;
    assert_eq!(kept(&flow, &jid).await.unwrap().executions, 2);
}

async fn checkpoints_are_written_every_five_seconds_at_most(flow: Flow) {
    let jid = push_counts(&flow, 9).await;
    let mut started = serve(&flow);
    assert_eq!(started.seen.next().await, "from 0");
    for (step, passes, written) in [
        ("1", 0, None),
        ("2", 4, None),
        ("3", 1, Some("3")),
        ("4", 0, Some("3")),
        ("5", 4, Some("3")),
        ("6", 60, Some("6")),
        ("7", 1, Some("6")),
    ] {
        flow.pass(Duration::from_secs(passes));
        assert_eq!(started.step().await, format!("{step} GoOn"));
        assert_eq!(cursor(&flow, &jid).await.as_deref(), written, "{step}");
    }
    started.running.stop().await;
}

async fn a_crash_loses_what_was_not_written(flow: Flow) {
    let jid = push_counts(&flow, 9).await;
    let mut first = serve(&flow);
    assert_eq!(first.seen.next().await, "from 0");
    assert_eq!(first.step().await, "1 GoOn");
    flow.pass(EVERY);
    assert_eq!(first.step().await, "2 GoOn");
    assert_eq!(first.step().await, "3 GoOn");
    first.running.kill().await;

    let state = kept(&flow, &jid).await.unwrap();
    assert_eq!((state.executions, state.cursor.as_deref()), (1, Some("2")));
    let mut second = serve(&flow);
    flow.pass(LEASE * 2);
    assert_eq!(second.seen.next().await, "from 2");
    second.running.stop().await;
}

async fn a_job_that_failed_is_tried_again_from_its_cursor(flow: Flow) {
    let jid = push_counts(&flow, 4).await;
    let mut started = serve_failing_at(&flow, Some(3));
    assert_eq!(started.seen.next().await, "from 0");
    assert_eq!(started.step().await, "1 GoOn");
    assert_eq!(started.step().await, "2 GoOn");
    started.gate.add_permits(1);
    flow.until_timed(TimedSet::Retry, 1).await;
    assert_eq!(cursor(&flow, &jid).await.as_deref(), Some("2"));
    flow.pass(Duration::from_secs(60));
    flow.wake_promoter().await;
    assert_eq!(started.seen.next().await, "from 2");
    started.running.stop().await;
}

async fn a_process_that_lost_its_job_does_not_write_over_its_cursor(flow: Flow) {
    let jid = push_counts(&flow, 9).await;
    // It neither renews its lease nor claims anything while it is taken for dead, so it does not know.
    let lease = Duration::from_secs(300);
    let mut paused = serve_with(&flow, None, |server| server.lease(lease).concurrency(1));
    assert_eq!(paused.seen.next().await, "from 0");
    assert_eq!(paused.step().await, "1 GoOn");
    flow.pass(EVERY);
    assert_eq!(paused.step().await, "2 GoOn");
    flow.pass(lease * 2);

    let mut rescuer = serve(&flow);
    assert_eq!(rescuer.seen.next().await, "from 2");
    assert_eq!(paused.step().await, "3 Stop");
    assert_eq!(cursor(&flow, &jid).await.as_deref(), Some("2"));
    assert_eq!(rescuer.step().await, "3 GoOn");
    flow.pass(EVERY);
    assert_eq!(rescuer.step().await, "4 GoOn");
    paused.running.stop().await;
    let state = kept(&flow, &jid).await.unwrap();
    assert_eq!((state.executions, state.cursor.as_deref()), (2, Some("4")));
    rescuer.running.stop().await;
}

async fn a_cancelled_job_is_told_at_its_next_write_and_is_done(flow: Flow) {
    let jid = push_counts(&flow, 9).await;
    let mut started = serve(&flow);
    assert_eq!(started.seen.next().await, "from 0");
    assert_eq!(started.step().await, "1 GoOn");
    flow.api().cancel_iteration(jid.as_str()).await.unwrap();
    assert_eq!(started.step().await, "2 GoOn");
    flow.pass(EVERY);
    assert_eq!(started.step().await, "3 Stop");
    until_processed(&flow, 1).await;
    assert_eq!(flow.counters().await, (1, 0));
    assert_eq!(kept(&flow, &jid).await, None);
    assert!(flow.queue("default").await.is_empty());
    started.running.stop().await;
}

async fn a_job_that_was_cancelled_while_it_waited_is_told_at_its_first_checkpoint(flow: Flow) {
    let jid = push_counts(&flow, 9).await;
    flow.api().cancel_iteration(jid.as_str()).await.unwrap();
    let mut started = serve(&flow);
    assert_eq!(started.seen.next().await, "from 0");
    assert_eq!(started.step().await, "1 Stop");
    until_processed(&flow, 1).await;
    assert_eq!(kept(&flow, &jid).await, None);
    started.running.stop().await;
}

async fn what_is_kept_ends_with_the_job(flow: Flow) {
    let started = serve(&flow);
    for (how, left, processed) in [
        ("done", None, 1),
        ("discarded", None, 2),
        ("snoozed", Some("\"snoozed\""), 3),
        // Tried again from the dead set, it goes on where it was.
        ("dead", Some("\"dead\""), 4),
    ] {
        let push = ends::set()
            .client(&flow.client)
            .perform_async(how.to_owned());
        let jid = push.await.unwrap();
        until_processed(&flow, processed).await;
        assert_eq!(cursor(&flow, &jid).await.as_deref(), left, "{how}");
    }
    let dead = flow.timed(TimedSet::Dead).await;
    assert_eq!(field(&dead[0].payload, "error_message"), "as asked");
    started.running.stop().await;
}

async fn what_is_kept_ends_with_a_job_that_its_callback_discards(flow: Flow) {
    let started = serve(&flow);
    let push = is_discarded_in_the_end::set().client(&flow.client);
    let jid = push.perform_async().await.unwrap();
    until_processed(&flow, 1).await;
    assert_eq!(kept(&flow, &jid).await, None);
    assert!(flow.timed(TimedSet::Dead).await.is_empty());
    started.running.stop().await;
}

/// On the one store whose time can be moved: Redis's keys end by its own clock.
#[tokio::test]
async fn what_an_order_leaves_that_came_too_late_is_kept_for_an_hour() {
    let flow = Flow::on(Kind::Memory).await;
    let jid = push_counts(&flow, 9).await;
    let (owner, store) = (Owner::random(), flow.store());
    let lease = Duration::from_secs(24 * 60 * 60);
    let renewed = store.renew(&owner, lease, Registration::First).await;
    renewed.unwrap();
    let request = ClaimRequest {
        owner,
        seq: 1,
        sources: vec![Source {
            queue: "default".into(),
            share: 0,
        }],
        limit: 1,
    };
    store.claim(&request).await.unwrap();
    // Nobody obeys, as if the job had just ended.
    let told = flow.api().cancel(jid.as_str()).await.unwrap();
    assert_eq!(told, Cancelled::Told);
    assert!(kept(&flow, &jid).await.unwrap().cancelled.is_some());
    flow.pass(Duration::from_secs(61 * 60));
    assert_eq!(kept(&flow, &jid).await, None);
}

async fn a_job_without_checkpoints_leaves_nothing(flow: Flow) {
    #[job]
    async fn plain() {}

    let jid = plain::set()
        .client(&flow.client)
        .perform_async()
        .await
        .unwrap();
    flow.api().cancel_iteration(jid.as_str()).await.unwrap();
    let (server, _) = flow.server();
    let running = Running::start(server.only::<plain>());
    until_processed(&flow, 1).await;
    running.stop().await;
    // Nobody has asked, so nobody has paid for it: it is forgotten in 30 days, as in Sidekiq.
    assert!(kept(&flow, &jid).await.unwrap().cancelled.is_some());
}

flows! {
    a_job_that_was_interrupted_goes_on_where_it_was
    a_job_that_does_not_stop_is_handed_back_with_its_cursor
    checkpoints_are_written_every_five_seconds_at_most
    a_crash_loses_what_was_not_written
    a_job_that_failed_is_tried_again_from_its_cursor
    a_process_that_lost_its_job_does_not_write_over_its_cursor
    a_cancelled_job_is_told_at_its_next_write_and_is_done
    a_job_that_was_cancelled_while_it_waited_is_told_at_its_first_checkpoint
    what_is_kept_ends_with_the_job
    what_is_kept_ends_with_a_job_that_its_callback_discards
    a_job_without_checkpoints_leaves_nothing
}
