//! Times that are too far ahead: what people ask for is refused, what stands in a store is run as it is.

use std::time::Duration;

use chrono::Utc;
use sancho::client::{ClientMiddleware, ClientNext, NewJob, Stop};
use sancho::job::FARTHEST;
use sancho::store::{Census, Entry, Place, TimedSet};
use sancho::{Config, Outcome, PushError, RetryIn, job};

use crate::harness::{Flow, Report, Running, field, flows};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The usual wait before the first retry, and its longest jitter.
const USUAL: std::ops::Range<Duration> = Duration::from_secs(15)..Duration::from_secs(26);

#[job]
async fn later(n: i64, #[state] to: &Report) {
    to.send(n.to_string()).unwrap();
}

/// Moves every push a thousand years ahead.
struct Later;

impl ClientMiddleware for Later {
    async fn call(&self, mut job: NewJob, next: ClientNext<'_>) -> Result<NewJob, Stop> {
        job.at = Some((Utc::now() + chrono::Days::new(365_250)).into());
        next.run(job).await
    }
}

async fn no_job_is_pushed_for_later_than_in_100_years(flow: Flow) {
    let set = || later::set().client(&flow.client);
    let (far, at) = (FARTHEST + DAY, Utc::now() + FARTHEST + DAY);
    let class = flow.client.job("Ruby");
    let moved = Config::new().middleware(Later);
    let moved = sancho::testing::client_with(flow.store().clone(), &moved);
    for push in [
        set().perform_in(far, 1),
        set().perform_in(Duration::MAX, 1),
        set().perform_at(at, 1),
        set().wait(far).perform_async(1),
        set().wait_until(at).perform_async(1),
        class.perform_in(far, (1,)),
        class.perform_at(at, (1,)),
        later::set().client(&moved).perform_async(1),
    ] {
        let error = push.await.unwrap_err();
        assert!(matches!(error, PushError::Invalid { .. }), "{error:?}");
        assert!(error.to_string().contains("100 years from now"), "{error}");
    }
    let bulk = set().perform_bulk_at([(Utc::now(), 1), (at, 2)]);
    let error = bulk.await.unwrap_err();
    assert_eq!((error.accepted.len(), error.failed_at), (0, 1));
    assert!(error.to_string().contains("100 years from now"), "{error}");
    let census = flow.store().census().await.unwrap();
    assert_eq!(census, Census::default(), "nothing was pushed");

    set().perform_in(FARTHEST, 1).await.unwrap();
    assert_eq!(flow.timed(TimedSet::Schedule).await.len(), 1);
}

async fn what_somebody_else_wrote_runs_when_its_time_has_come(flow: Flow) {
    let years_200 = FARTHEST * 2;
    let place = Place::Timed {
        set: TimedSet::Schedule,
        at: flow.now().after(years_200),
    };
    let payload = br#"{"class":"Later","args":[7],"jid":"a","queue":"default"}"#;
    flow.put(payload, place).await;
    flow.pass(years_200 + DAY);
    let (server, mut reports) = flow.server();
    let running = Running::start(server.only::<later>());
    assert_eq!(reports.next().await, "7");
    running.stop().await;
}

#[expect(clippy::ptr_arg, reason = "the error type of the job")]
fn ages(_: u32, error: &String) -> RetryIn {
    match error.as_str() {
        "farthest" => RetryIn::After(FARTHEST),
        _ => RetryIn::After(Duration::MAX),
    }
}

#[job(retry_in = ages)]
async fn asks_in_retry_in(error: String) -> Result<(), String> {
    Err(error)
}

fn for_ages(_: u32) -> Duration {
    FARTHEST + DAY
}

#[job(retry_on(_, wait = for_ages))]
async fn asks_in_wait(error: String) -> Result<(), String> {
    Err(error)
}

#[job]
async fn asks_by_its_outcome(outcome: String) -> Outcome {
    match outcome.as_str() {
        "retry" => Outcome::Retry(Duration::MAX),
        _ => Outcome::Snooze(FARTHEST + DAY),
    }
}

/// What a job of this class is in the retry set.
async fn retried(flow: &Flow, class: &str, arg: &str) -> Entry {
    let (server, _reports) = flow.server();
    let server = server
        .only::<asks_in_retry_in>()
        .only::<asks_in_wait>()
        .only::<asks_by_its_outcome>();
    let running = Running::start(server);
    flow.client.push(class, (arg,)).await.unwrap();
    let mut entries = flow.until_timed(TimedSet::Retry, 1).await;
    running.stop().await;
    assert!(flow.timed(TimedSet::Schedule).await.is_empty());
    flow.api().retries().clear().await.unwrap();
    entries.remove(0)
}

async fn a_wait_that_is_too_long_is_the_usual_one(flow: Flow) {
    for (class, arg) in [
        ("AsksInRetryIn", "longer"),
        ("AsksInWait", "longer"),
        ("AsksByItsOutcome", "retry"),
        ("AsksByItsOutcome", "snooze"),
    ] {
        let entry = retried(&flow, class, arg).await;
        let wait = entry.at.unwrap().since(flow.now());
        assert!(USUAL.contains(&wait), "{class} {arg}: {wait:?}");
        let message = field(&entry.payload, "error_message").to_string();
        assert_eq!(arg == "snooze", message.contains("100 years"), "{message}");
    }
    let entry = retried(&flow, "AsksInRetryIn", "farthest").await;
    assert!(entry.at.unwrap().since(flow.now()) >= FARTHEST);
}

flows! {
    no_job_is_pushed_for_later_than_in_100_years
    what_somebody_else_wrote_runs_when_its_time_has_come
    a_wait_that_is_too_long_is_the_usual_one
}
