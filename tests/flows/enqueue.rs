//! From a typed call to a payload in its place.

use std::time::Duration;

use sancho::client::{ClientMiddleware, ClientNext, NewJob, Stop};
use sancho::store::TimedSet;
use sancho::{Config, JobId, PushError, job};

use crate::harness::{Flow, field, flows};

#[job(queue = "mailers", retry = 5, tags = ["a", "b"])]
async fn mail(user_id: i64, name: String) {
    let _ = (user_id, name);
}

#[job]
async fn count(n: i64) {
    let _ = n;
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

async fn an_empty_bulk_pushes_nothing(flow: Flow) {
    assert_eq!(
        count::set()
            .client(&flow.client)
            .perform_bulk(Vec::<i64>::new())
            .await
            .unwrap(),
        []
    );
    assert!(flow.queue("default").await.is_empty());
}

async fn what_cannot_be_pushed_is_refused_and_changes_nothing(flow: Flow) {
    let set = || count::set().client(&flow.client);
    let errors = [
        set().queue("a b").perform_async(1).await.unwrap_err(),
        set().queue("").perform_async(1).await.unwrap_err(),
        set().perform_in(Duration::MAX, 1).await.unwrap_err(),
        flow.client
            .push(NewJob::new("Ruby", "{}"))
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, PushError::Invalid { .. }), "{error}");
    }
    let error = set().queue("a b").perform_bulk([1, 2]).await.unwrap_err();
    assert_eq!((error.failed_at, error.accepted.len()), (0, 0));
    assert_eq!(
        flow.store().census().await.unwrap(),
        sancho::store::Census::default()
    );
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
    later_is_in_the_schedule_and_a_time_that_has_passed_means_now
    a_bulk_keeps_its_order_over_many_slices
    an_empty_bulk_pushes_nothing
    what_cannot_be_pushed_is_refused_and_changes_nothing
    client_middleware_may_change_and_stop_a_push
    an_inline_job_runs_here
    many_callers_push_at_once
}
