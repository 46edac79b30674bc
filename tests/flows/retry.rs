//! Failures, retries and the dead set.

use std::time::Duration;

use sancho::store::{Effect, Place, TimedSet};
use sancho::{Context, Outcome, job};

use crate::harness::{Flow, Report, Running, field, flows};

#[job(retry = 1)]
async fn fails(n: u8, #[state] to: &Report, #[context] cx: &Context) -> Result<(), String> {
    to.send(format!("{n} {}", cx.attempt())).unwrap();
    Err(format!("failed with {n}"))
}

#[job(retry = false)]
async fn gives_up(#[state] to: &Report) -> Result<(), String> {
    to.send("gave up".into()).unwrap();
    Err("never again".into())
}

#[job]
async fn snoozes(#[state] to: &Report, #[context] cx: &Context) -> Outcome {
    to.send(cx.attempt().to_string()).unwrap();
    Outcome::Snooze(Duration::from_secs(100))
}

#[job]
async fn takes_numbers(user_id: i64, name: String) {
    let _ = (user_id, name);
}

async fn a_failure_is_retried_and_then_dead(flow: Flow) {
    let (server, mut reports) = flow.server();
    let running = Running::start(server.only::<fails>());
    fails::set()
        .client(&flow.client)
        .perform_async(7)
        .await
        .unwrap();
    assert_eq!(reports.next().await, "7 1");

    let retry = flow.until_timed(TimedSet::Retry, 1).await;
    let payload = &retry[0].payload;
    assert_eq!(field(payload, "retry_count"), 0);
    assert_eq!(field(payload, "error_message"), "failed with 7");
    assert_eq!(field(payload, "error_class"), "String");
    assert_eq!(field(payload, "failed_at"), flow.now().as_millis());
    assert!(field(payload, "retried_at").is_null());
    let wait = retry[0].at.unwrap().since(flow.now()).as_secs();
    assert!((15..25).contains(&wait), "waits {wait} s");

    flow.pass(Duration::from_secs(26));
    flow.wake_promoter().await;
    assert_eq!(reports.next().await, "7 2");
    let dead = flow.until_timed(TimedSet::Dead, 1).await;
    assert_eq!(field(&dead[0].payload, "retry_count"), 1);
    assert_eq!(
        field(&dead[0].payload, "retried_at"),
        flow.now().as_millis()
    );
    running.stop().await;
    assert_eq!(flow.counters().await, (2, 2));
    assert!(flow.timed(TimedSet::Retry).await.is_empty());
}

async fn retry_false_is_neither_retried_nor_dead(flow: Flow) {
    let (server, mut reports) = flow.server();
    let running = Running::start(server.only::<gives_up>());
    gives_up::set()
        .client(&flow.client)
        .perform_async()
        .await
        .unwrap();
    reports.next().await;
    running.stop().await;
    assert_eq!(flow.counters().await, (1, 1));
    assert!(
        flow.timed(TimedSet::Retry).await.is_empty() && flow.timed(TimedSet::Dead).await.is_empty()
    );
}

async fn an_unknown_class_is_retried_as_ruby_would(flow: Flow) {
    let (server, _reports) = flow.server();
    flow.push_raw(
        "default",
        br#"{"class":"Ruby::Only","args":[1],"jid":"1","retry":true,"extra":{"a":1}}"#,
    )
    .await;
    let running = Running::start(server.only::<fails>());
    let retry = flow.until_timed(TimedSet::Retry, 1).await;
    assert!(retry[0].payload.starts_with(
        br#"{"class":"Ruby::Only","args":[1],"jid":"1","retry":true,"extra":{"a":1},"#
    ));
    assert_eq!(
        field(&retry[0].payload, "error_class"),
        "sancho::UnknownClass"
    );
    running.stop().await;
}

async fn arguments_that_do_not_decode_name_the_argument(flow: Flow) {
    let (server, _reports) = flow.server();
    flow.push_raw(
        "default",
        br#"{"class":"TakesNumbers","args":[1,2],"jid":"1"}"#,
    )
    .await;
    let running = Running::start(server.only::<takes_numbers>());
    let retry = flow.until_timed(TimedSet::Retry, 1).await;
    let message = field(&retry[0].payload, "error_message").to_string();
    assert!(
        message.contains("name") && message.contains("string") && message.contains('2'),
        "{message}"
    );
    running.stop().await;
}

async fn a_snooze_uses_up_no_retry(flow: Flow) {
    let (server, mut reports) = flow.server();
    let running = Running::start(server.only::<snoozes>());
    snoozes::set()
        .client(&flow.client)
        .perform_async()
        .await
        .unwrap();
    assert_eq!(reports.next().await, "1");
    let scheduled = flow.until_timed(TimedSet::Schedule, 1).await;
    assert_eq!(
        scheduled[0].at.unwrap(),
        flow.now().after(Duration::from_secs(100))
    );
    flow.pass(Duration::from_secs(101));
    flow.wake_promoter().await;
    assert_eq!(reports.next().await, "1");
    running.stop().await;
    assert_eq!(flow.counters().await, (2, 0));
}

async fn a_job_that_is_put_off_goes_back_to_the_queue_that_it_was_taken_from(flow: Flow) {
    let (server, _reports) = flow.server();
    flow.push_raw(
        "low",
        br#"{"class":"Snoozes","args":[],"jid":"1","enqueued_at":5}"#,
    )
    .await;
    let running = Running::start(server.only::<snoozes>().queues(["low"]));
    let scheduled = flow.until_timed(TimedSet::Schedule, 1).await;
    assert_eq!(
        scheduled[0].payload,
        r#"{"class":"Snoozes","args":[],"jid":"1","queue":"low"}"#
    );
    running.stop().await;
}

async fn an_entry_that_is_no_job_does_not_hold_up_the_schedule(flow: Flow) {
    let at = flow.now();
    let bad = |n| {
        Effect::Put(
            format!("bad {n}").into(),
            Place::Timed {
                set: TimedSet::Schedule,
                at,
            },
        )
    };
    flow.apply((0..600).map(bad).collect()).await;
    fails::set()
        .client(&flow.client)
        .retry(0)
        .perform_in(Duration::from_secs(5), 1)
        .await
        .unwrap();
    flow.pass(Duration::from_secs(10));
    let (server, mut reports) = flow.server();
    let running = Running::start(server.only::<fails>());
    assert_eq!(reports.next().await, "1 1");
    flow.until_timed(TimedSet::Dead, 601).await;
    running.stop().await;
}

flows! {
    a_failure_is_retried_and_then_dead
    retry_false_is_neither_retried_nor_dead
    an_unknown_class_is_retried_as_ruby_would
    arguments_that_do_not_decode_name_the_argument
    a_snooze_uses_up_no_retry
    a_job_that_is_put_off_goes_back_to_the_queue_that_it_was_taken_from
    an_entry_that_is_no_job_does_not_hold_up_the_schedule
}
