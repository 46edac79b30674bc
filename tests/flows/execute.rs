//! Running jobs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sancho::engine::{Execution, Middleware, Next};
use sancho::store::TimedSet;
use sancho::{Context, Failure, Outcome, job};

use crate::harness::{Flow, Report, Running, field, flows};

#[job]
async fn report(text: String, note: Option<String>, #[state] to: &Report, #[context] cx: &Context) {
    to.send(format!("{text} {note:?} {} {}", cx.queue(), cx.attempt()))
        .unwrap();
}

#[job]
fn report_blocking(text: String, #[state] to: &Report) {
    to.send(text).unwrap();
}

#[job(retry = false)]
async fn panics(#[state] to: &Report) {
    to.send("about to panic".into()).unwrap();
    panic!("no way");
}

#[job(retry = 0)]
fn panics_blocking() {
    panic!("no way, blocking");
}

#[job(retry = 0, timeout = "1s")]
async fn hangs() {
    std::future::pending::<()>().await;
}

async fn arguments_state_and_context_arrive(flow: Flow) {
    let (server, mut reports) = flow.server();
    let running = Running::start(server.only::<report>().only::<report_blocking>());
    report::set()
        .client(&flow.client)
        .perform_async("a".into(), Some("b".into()))
        .await
        .unwrap();
    assert_eq!(reports.next().await, r#"a Some("b") default 1"#);
    report_blocking::set()
        .client(&flow.client)
        .perform_async("blocking".into())
        .await
        .unwrap();
    assert_eq!(reports.next().await, "blocking");
    running.stop().await;
    assert_eq!(flow.counters().await, (2, 0));
}

async fn a_trailing_option_may_be_absent(flow: Flow) {
    let (server, mut reports) = flow.server();
    flow.push_raw("default", br#"{"class":"Report","args":["a"],"jid":"1"}"#)
        .await;
    let running = Running::start(server.only::<report>());
    assert_eq!(reports.next().await, "a None default 1");
    running.stop().await;
}

async fn queues_are_served_in_strict_order(flow: Flow) {
    let set = |queue| report::set().client(&flow.client).queue(queue);
    for n in 0..5 {
        set("low")
            .perform_async(format!("low{n}"), None)
            .await
            .unwrap();
    }
    for n in 0..5 {
        set("high")
            .perform_async(format!("high{n}"), None)
            .await
            .unwrap();
    }
    let (server, mut reports) = flow.server();
    let running = Running::start(
        server
            .only::<report>()
            .queues(["high", "low"])
            .concurrency(1),
    );
    let order: Vec<_> = reports
        .some(10)
        .await
        .iter()
        .map(|report| report.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        order,
        [
            "high0", "high1", "high2", "high3", "high4", "low0", "low1", "low2", "low3", "low4"
        ]
    );
    running.stop().await;
}

async fn a_push_wakes_an_idle_server(flow: Flow) {
    let (server, mut reports) = flow.server();
    let running = Running::start(server.only::<report>());
    for n in 0..20 {
        report::set()
            .client(&flow.client)
            .perform_async(n.to_string(), None)
            .await
            .unwrap();
        reports.next().await;
    }
    running.stop().await;
}

async fn after_a_thousand_panics_all_slots_still_work(flow: Flow) {
    let (server, mut reports) = flow.server();
    let running = Running::start(server.only::<panics>().only::<report>().concurrency(4));
    panics::set()
        .client(&flow.client)
        .perform_bulk(std::iter::repeat_n((), 1_000))
        .await
        .unwrap();
    reports.some(1_000).await;
    report::set()
        .client(&flow.client)
        .perform_bulk((0..100).map(|n| (n.to_string(), None)))
        .await
        .unwrap();
    reports.some(100).await;
    running.stop().await;
    assert_eq!(flow.counters().await, (1_100, 1_000));
    assert!(flow.timed(TimedSet::Dead).await.is_empty());
}

async fn a_panic_is_a_failure_with_its_message_and_place(flow: Flow) {
    let (server, _reports) = flow.server();
    let running = Running::start(server.only::<panics_blocking>());
    panics_blocking::set()
        .client(&flow.client)
        .perform_async()
        .await
        .unwrap();
    let dead = flow.until_timed(TimedSet::Dead, 1).await;
    let message = field(&dead[0].payload, "error_message").to_string();
    assert!(
        message.contains("no way, blocking") && message.contains("execute.rs:"),
        "{message}"
    );
    assert_eq!(field(&dead[0].payload, "error_class"), "sancho::Panic");
    running.stop().await;
}

async fn a_job_that_runs_too_long_fails(flow: Flow) {
    let (server, _reports) = flow.server();
    let running = Running::start(server.only::<hangs>());
    hangs::set()
        .client(&flow.client)
        .perform_async()
        .await
        .unwrap();
    let dead = flow.until_timed(TimedSet::Dead, 1).await;
    assert_eq!(field(&dead[0].payload, "error_class"), "sancho::Timeout");
    running.stop().await;
}

async fn malformed_payloads_are_dead_as_they_came_and_hold_nobody_up(flow: Flow) {
    let (server, mut reports) = flow.server();
    flow.push_raw("default", b"{bad json").await;
    flow.push_raw("default", b"\xff\x00").await;
    flow.push_raw("default", br#"{"class":"Report","n":12345678901234567890}"#)
        .await;
    let running = Running::start(server.only::<report>());
    report::set()
        .client(&flow.client)
        .perform_async("after".into(), None)
        .await
        .unwrap();
    reports.next().await;
    let dead = flow.until_timed(TimedSet::Dead, 3).await;
    let raw: Vec<_> = dead.iter().map(|entry| entry.payload.as_ref()).collect();
    assert!(raw.contains(&b"{bad json".as_slice()) && raw.contains(&b"\xff\x00".as_slice()));
    let object = raw
        .iter()
        .find(|raw| raw.starts_with(br#"{"class":"Report","n":12345678901234567890,"#))
        .unwrap();
    assert_eq!(field(object, "error_class"), "sancho::MalformedPayload");
    running.stop().await;
}

struct Counting(Arc<AtomicUsize>);

impl Middleware for Counting {
    async fn call(&self, job: &Execution<'_>, next: Next<'_>) -> Result<Outcome, Failure> {
        assert_eq!(job.class(), "Report");
        self.0.fetch_add(1, Ordering::SeqCst);
        next.run().await
    }
}

async fn server_middleware_wraps_every_execution(flow: Flow) {
    let seen = Arc::new(AtomicUsize::new(0));
    let (server, mut reports) = flow.server();
    let running = Running::start(
        server
            .only::<report>()
            .middleware(Counting(seen.clone()))
            .middleware(Counting(seen.clone())),
    );
    report::set()
        .client(&flow.client)
        .perform_async("a".into(), None)
        .await
        .unwrap();
    reports.next().await;
    running.stop().await;
    assert_eq!(seen.load(Ordering::SeqCst), 2);
}

flows! {
    arguments_state_and_context_arrive
    a_trailing_option_may_be_absent
    queues_are_served_in_strict_order
    a_push_wakes_an_idle_server
    after_a_thousand_panics_all_slots_still_work
    a_panic_is_a_failure_with_its_message_and_place
    a_job_that_runs_too_long_fails
    malformed_payloads_are_dead_as_they_came_and_hold_nobody_up
    server_middleware_wraps_every_execution
}
