//! From a typed call to a payload in its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sancho::client::{ClientMiddleware, ClientNext, NewJob, Stop};
use sancho::store::TimedSet;
use sancho::{Config, JobId, PushError, Wire, job};

use crate::harness::{Flow, Report, Running, field, flows};

#[job(queue = "mailers", retry = 5, tags = ["a", "b"])]
async fn mail(user_id: i64, name: String) {
    let _ = (user_id, name);
}

#[job]
async fn count(n: i64) {
    let _ = n;
}

#[job(retry_for = "1h", retry_queue = "slow", dead = false, backtrace = 20)]
async fn careful() {}

#[job]
async fn reports(n: i64, #[state] to: &Report) {
    to.send(n.to_string()).unwrap();
}

async fn a_push_writes_what_sidekiq_writes(flow: Flow) {
    let jid = mail::set()
        .client(&flow.client)
        .perform_async(42, "é".into())
        .await
        .unwrap();
    let payloads = flow.queue("mailers").await;
    let start = format!(
        r#"{{"retry":5,"queue":"mailers","tags":["a","b"],"args":[42,"é"],"class":"Mail","jid":"{jid}","created_at":"#
    );
    assert!(payloads[0].starts_with(&start), "{}", payloads[0]);
    assert_eq!(jid.as_str().len(), 24);
}

async fn options_of_one_push_win(flow: Flow) {
    let jid = JobId::from_text("my-own");
    let set = mail::set()
        .client(&flow.client)
        .queue("critical")
        .retry(false)
        .tags(["vip"])
        .jid(jid.clone());
    assert_eq!(set.perform_async(1, "x".into()).await.unwrap(), jid);
    let payload = &flow.queue("critical").await[0];
    assert!(payload.starts_with(r#"{"retry":false,"queue":"critical","tags":["vip"],"args":[1,"x"],"class":"Mail","jid":"my-own""#));
}

async fn options_of_retries_are_in_the_payload(flow: Flow) {
    let set = || careful::set().client(&flow.client);
    set().perform_async().await.unwrap();
    set()
        .retry(3)
        .retry_for(Duration::from_millis(90_500))
        .retry_queue("slower")
        .dead(true)
        .backtrace(true)
        .perform_async()
        .await
        .unwrap();
    let payloads = flow.queue("default").await;
    for (payload, start) in payloads.iter().zip([
        r#"{"retry":true,"queue":"default","backtrace":20,"dead":false,"retry_for":3600,"retry_queue":"slow","args":[],"#,
        r#"{"retry":3,"queue":"default","backtrace":true,"dead":true,"retry_for":90,"retry_queue":"slower","args":[],"#,
    ]) {
        assert!(payload.starts_with(start), "{payload}");
    }
}

async fn times_are_written_for_the_chosen_sidekiq(flow: Flow) {
    for (queue, wire) in [("six", Wire::Sidekiq6), ("seven", Wire::Sidekiq7)] {
        let config = Config::new().sidekiq_wire(wire);
        let client = sancho::testing::client_with(flow.store().clone(), &config);
        let before = chrono::Utc::now().timestamp_micros();
        client
            .job("Old")
            .queue(queue)
            .perform_async(())
            .await
            .unwrap();
        let payload = &flow.queue(queue).await[0];
        for name in ["created_at", "enqueued_at"] {
            let time = field(payload.as_bytes(), name);
            assert!(time.is_f64(), "{payload}");
            let at = job::Timestamp::from_score(time.as_f64().unwrap());
            assert!(at.as_micros() >= before, "{payload}");
        }
    }
    flow.client.push("New", ()).await.unwrap();
    let payload = &flow.queue("default").await[0];
    assert!(
        field(payload.as_bytes(), "created_at").is_i64(),
        "{payload}"
    );
}

async fn ten_megabytes_of_arguments_are_pushed(flow: Flow) {
    let text = "[\"x".repeat(10 << 18);
    flow.client.push("Big", (&text,)).await.unwrap();
    let payload = &flow.queue("default").await[0];
    assert!(payload.len() > 10 << 20);
    assert_eq!(field(payload.as_bytes(), "args")[0], text);
}

async fn later_is_in_the_schedule_and_a_time_that_has_passed_means_now(flow: Flow) {
    let set = || count::set().client(&flow.client);
    set()
        .perform_in(Duration::from_secs(3_600), 1)
        .await
        .unwrap();
    set()
        .wait(Duration::from_secs(60))
        .perform_async(2)
        .await
        .unwrap();
    set()
        .perform_at(chrono::Utc::now() - chrono::Days::new(1), 3)
        .await
        .unwrap();
    set().perform_in(Duration::ZERO, 4).await.unwrap();
    let scheduled: Vec<_> = flow
        .timed(TimedSet::Schedule)
        .await
        .iter()
        .map(|entry| field(&entry.payload, "args"))
        .collect();
    assert_eq!(scheduled, [serde_json::json!([2]), serde_json::json!([1])]);
    assert_eq!(flow.queue("default").await.len(), 2);
}

async fn a_bulk_keeps_its_order_over_many_slices(flow: Flow) {
    let ids = count::set()
        .client(&flow.client)
        .perform_bulk(0..2_500)
        .await
        .unwrap();
    assert_eq!(ids.len(), 2_500);
    let census = flow.store().census().await.unwrap();
    assert_eq!(census.queues[0].size, 2_500);
    let first = flow.queue("default").await;
    assert_eq!(
        field(first[999].as_bytes(), "args"),
        serde_json::json!([999])
    );
    assert_eq!(field(first[999].as_bytes(), "jid"), ids[999].as_str());
}

async fn what_cannot_be_pushed_is_refused_and_changes_nothing(flow: Flow) {
    let set = || count::set().client(&flow.client);
    let errors = [
        set().queue("a b").perform_async(1).await.unwrap_err(),
        set().queue("").perform_async(1).await.unwrap_err(),
        set().perform_in(Duration::MAX, 1).await.unwrap_err(),
        flow.client
            .push_job(NewJob::new("Ruby", "{}"))
            .await
            .unwrap_err(),
        set().retry_queue("a b").perform_async(1).await.unwrap_err(),
        set()
            .retry_for(Duration::ZERO)
            .perform_async(1)
            .await
            .unwrap_err(),
        set()
            .retry_for(Duration::MAX)
            .perform_async(1)
            .await
            .unwrap_err(),
        flow.client.push("", ()).await.unwrap_err(),
        flow.client.push("Ruby", 1).await.unwrap_err(),
        flow.client.push("Ruby", "[1]").await.unwrap_err(),
        flow.client.push("Ruby", [f64::NAN]).await.unwrap_err(),
        flow.client.push("Ruby", [nested(99)]).await.unwrap_err(),
        flow.client
            .push_job(NewJob::new("Ruby", "[1] [2]"))
            .await
            .unwrap_err(),
        flow.client
            .job("Ruby")
            .field("retry_count", 1)
            .perform_async(())
            .await
            .unwrap_err(),
        broken_by_middleware(&flow).await,
    ];
    for error in errors {
        assert!(matches!(error, PushError::Invalid { .. }), "{error}");
    }
    let error = flow
        .client
        .push_bulk("Ruby", [vec![1.0], vec![f64::NAN]])
        .await
        .unwrap_err();
    assert_eq!((error.failed_at, error.accepted.len()), (1, 0));
    let error = flow
        .client
        .job("Ruby")
        .jid(JobId::from_text("one"))
        .perform_bulk([[1], [2]])
        .await
        .unwrap_err();
    assert_eq!(error.failed_at, 1);
    let error = set().queue("a b").perform_bulk([1, 2]).await.unwrap_err();
    assert_eq!((error.failed_at, error.accepted.len()), (0, 0));
    assert_eq!(
        flow.store().census().await.unwrap(),
        sancho::store::Census::default()
    );
}

/// Arrays within each other.
fn nested(depth: usize) -> serde_json::Value {
    (1..depth).fold(serde_json::json!([]), |inner, _| serde_json::json!([inner]))
}

async fn as_deep_as_ruby_reads_is_pushed(flow: Flow) {
    // The payload's object and the array of the arguments are levels as well.
    flow.client.push("Ruby", [nested(98)]).await.unwrap();
    assert_eq!(flow.queue("default").await.len(), 1);
}

struct Breaking;

impl ClientMiddleware for Breaking {
    async fn call(&self, mut job: NewJob, next: ClientNext<'_>) -> Result<NewJob, Stop> {
        job.args.push(']');
        next.run(job).await
    }
}

async fn broken_by_middleware(flow: &Flow) -> PushError {
    let config = Config::new().middleware(Breaking);
    sancho::testing::client_with(flow.store().clone(), &config)
        .push("Ruby", ())
        .await
        .unwrap_err()
}

struct Counting(Arc<AtomicUsize>);

impl ClientMiddleware for Counting {
    async fn call(&self, job: NewJob, next: ClientNext<'_>) -> Result<NewJob, Stop> {
        self.0.fetch_add(1, Ordering::SeqCst);
        next.run(job).await
    }
}

async fn client_middleware_runs_once_a_push_and_not_at_promotion(flow: Flow) {
    let count = Arc::new(AtomicUsize::new(0));
    let config = Config::new().middleware(Counting(count.clone()));
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    let hour = Duration::from_secs(3_600);
    reports::set()
        .client(&client)
        .perform_in(hour, 1)
        .await
        .unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 1);

    flow.pass(hour + Duration::from_secs(60));
    let (server, mut reports) = flow.server();
    let running = Running::start(server.client(&client).only::<reports>());
    assert_eq!(reports.next().await, "1");
    running.stop().await;
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

struct Doubling;

impl ClientMiddleware for Doubling {
    async fn call(&self, mut job: NewJob, next: ClientNext<'_>) -> Result<NewJob, Stop> {
        job.tags.push("seen".into());
        if job.args == "[13]" {
            return Err(Stop::because("unlucky"));
        }
        next.run(job).await
    }
}

async fn client_middleware_may_change_and_stop_a_push(flow: Flow) {
    let client =
        sancho::testing::client_with(flow.store().clone(), &Config::new().middleware(Doubling));
    count::set().client(&client).perform_async(1).await.unwrap();
    assert_eq!(
        field(flow.queue("default").await[0].as_bytes(), "tags"),
        serde_json::json!(["seen"])
    );
    let error = count::set()
        .client(&client)
        .perform_async(13)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, PushError::Stopped { by, reason, .. } if by.ends_with("Doubling") && reason == "unlucky"),
        "{error}"
    );
    let error = count::set()
        .client(&client)
        .perform_bulk([1, 13])
        .await
        .unwrap_err();
    assert_eq!(error.failed_at, 1);
    assert_eq!(flow.queue("default").await.len(), 1);
}

async fn an_inline_job_runs_here(flow: Flow) {
    let outcome = count::set()
        .client(&flow.client)
        .perform_inline(1)
        .await
        .unwrap();
    assert_eq!(outcome, sancho::Outcome::Done);
    assert!(flow.queue("default").await.is_empty());
}

async fn many_callers_push_at_once(flow: Flow) {
    let pushes: Vec<_> = (0..500)
        .map(|n| tokio::spawn(count::set().client(&flow.client).perform_async(n)))
        .collect();
    let mut ids = std::collections::HashSet::new();
    for push in pushes {
        assert!(ids.insert(push.await.unwrap().unwrap()));
    }
    assert_eq!(flow.queue("default").await.len(), 500);
}

flows! {
    a_push_writes_what_sidekiq_writes
    options_of_one_push_win
    options_of_retries_are_in_the_payload
    times_are_written_for_the_chosen_sidekiq
    ten_megabytes_of_arguments_are_pushed
    later_is_in_the_schedule_and_a_time_that_has_passed_means_now
    a_bulk_keeps_its_order_over_many_slices
    what_cannot_be_pushed_is_refused_and_changes_nothing
    as_deep_as_ruby_reads_is_pushed
    client_middleware_runs_once_a_push_and_not_at_promotion
    client_middleware_may_change_and_stop_a_push
    an_inline_job_runs_here
    many_callers_push_at_once
}
