//! `retry_on` and `discard_on`.

use std::time::Duration;

use sancho::engine::{Execution, Middleware, Next};
use sancho::job::FailureKind;
use sancho::store::TimedSet;
use sancho::{Failure, Outcome, RetryIn, job};
use serde_json::json;

use super::{MailError, assert_waits, failed, gone, payload};
use crate::harness::{Flow, Report, Running, field, flows};

fn a_day(_: u32, _: &MailError) -> RetryIn {
    RetryIn::After(Duration::from_secs(86_400))
}

fn by_count(count: u32) -> Duration {
    match count {
        3 => panic!("no wait for this"),
        count => Duration::from_secs(u64::from(count) * 1_000),
    }
}

#[job(
    retry = 0,
    retry_on(MailError::Temporary, wait = "50s", attempts = 3),
    discard_on(MailError::Gone)
)]
async fn notify(number: u16, #[state] to: &Report) -> Result<(), MailError> {
    to.send("ran".to_owned()).unwrap();
    Err(MailError::of(number))
}

#[job(
    retry = 9,
    retry_on(MailError::RateLimit | MailError::Temporary, wait = exponential, attempts = 4),
    retry_on(MailError::Refused(code) if *code < 500, wait = by_count, attempts = 9),
    discard_on(MailError::Refused(code @ 500..=509) if { assert_ne!(*code, 509); true }),
    retry_on(MailError::Refused(_)),
    retry_in = a_day
)]
async fn many_rules(number: u16) -> Result<(), MailError> {
    Err(MailError::of(number))
}

#[job(retry = false, retry_on(MailError::Temporary, attempts = 2))]
async fn never_kept(number: u16) -> Result<(), MailError> {
    Err(MailError::of(number))
}

#[job(retry = 3, discard_on(_))]
async fn discards_all(number: u16) -> Result<(), MailError> {
    Err(MailError::of(number))
}

async fn attempts_count_executions_that_ended_in_the_rule(flow: Flow) {
    let (server, mut reports) = flow.server();
    let running = Running::start(server.only::<notify>());
    flow.push_raw("default", payload("Notify", 1, "").as_bytes())
        .await;
    for executions in 1..3 {
        reports.next().await;
        let retry = flow.until_timed(TimedSet::Retry, 1).await;
        let attempts = field(&retry[0].payload, "sancho_attempts");
        assert_eq!(attempts, json!({ "MailError::Temporary": executions }));
        assert_waits(&flow, &retry[0], 50, executions - 1);
        flow.pass(Duration::from_secs(100));
        flow.wake_promoter().await;
    }
    reports.next().await;
    // The rule has no more to say, and `retry = 0` has.
    let dead = flow.until_timed(TimedSet::Dead, 1).await;
    let attempts = field(&dead[0].payload, "sancho_attempts");
    assert_eq!(attempts, json!({ "MailError::Temporary": 3 }));
    assert_eq!(field(&dead[0].payload, "retry_count"), 2);
    running.stop().await;
}

async fn a_job_that_is_discarded_by_a_rule_is_gone(flow: Flow) {
    let (server, _reports) = flow.server();
    gone(&flow, server.only::<notify>(), &payload("Notify", 2, "")).await;
}

async fn what_no_rule_matches_is_left_to_retry(flow: Flow) {
    let (server, _reports) = flow.server();
    let payload = payload("Notify", 0, "");
    let dead = failed(&flow, server.only::<notify>(), TimedSet::Dead, &payload).await;
    assert!(field(&dead.payload, "sancho_attempts").is_null());
}

async fn many(flow: &Flow, number: u16, more: &str) -> sancho::store::Entry {
    let server = flow.server().0.only::<many_rules>();
    let payload = payload("ManyRules", number, more);
    failed(flow, server, TimedSet::Retry, &payload).await
}

const EITHER: &str = "MailError::RateLimit|MailError::Temporary";

async fn attempts_of_each_rule_are_counted_apart(flow: Flow) {
    let more = format!(
        r#","retry_count":4,"sancho_attempts":{{"{EITHER}":2,"MailError::Other":7}},"failed_at":5"#
    );
    let entry = many(&flow, 1, &more).await;
    let attempts = json!({ EITHER: 3, "MailError::Other": 7 });
    assert_eq!(field(&entry.payload, "sancho_attempts"), attempts);
    // The wait goes by the rule's own count, the jitter by that of the job.
    assert_waits(&flow, &entry, 31, 5);
}

async fn after_its_attempts_a_rule_leaves_it_to_retry_in(flow: Flow) {
    let more = format!(r#","sancho_attempts":{{"{EITHER}":3}}"#);
    let entry = many(&flow, 0, &more).await;
    assert_waits(&flow, &entry, 86_400, 0);
}

async fn a_wait_may_be_a_function(flow: Flow) {
    let name = "MailError::Refused(code)if*code<500";
    let more = format!(r#","sancho_attempts":{{"{name}":2}}"#);
    let entry = many(&flow, 421, &more).await;
    assert_waits(&flow, &entry, 2_000, 0);
}

async fn a_wait_that_panics_is_the_usual_one(flow: Flow) {
    let name = "MailError::Refused(code)if*code<500";
    let more = format!(r#","sancho_attempts":{{"{name}":3}}"#);
    let entry = many(&flow, 421, &more).await;
    assert_waits(&flow, &entry, 96, 0);
}

async fn the_first_rule_that_matches_counts(flow: Flow) {
    let server = || flow.server().0.only::<many_rules>();
    gone(&flow, server(), &payload("ManyRules", 500, "")).await;
    let entry = many(&flow, 600, "").await;
    let attempts = field(&entry.payload, "sancho_attempts");
    assert_eq!(attempts, json!({ "MailError::Refused(_)": 1 }));
    assert_waits(&flow, &entry, 3, 0);
}

async fn a_guard_that_panics_matches_nothing(flow: Flow) {
    let entry = many(&flow, 509, "").await;
    assert_waits(&flow, &entry, 86_400, 0);
}

async fn what_is_no_count_counts_as_none(flow: Flow) {
    let entry = many(&flow, 0, r#","sancho_attempts":[7]"#).await;
    let attempts = field(&entry.payload, "sancho_attempts");
    assert_eq!(attempts, json!({ EITHER: 1 }));
}

async fn a_rule_counts_where_retry_is_false(flow: Flow) {
    let server = || flow.server().0.only::<never_kept>();
    let entry = failed(
        &flow,
        server(),
        TimedSet::Retry,
        &payload("NeverKept", 1, ""),
    )
    .await;
    let running = Running::start(server());
    flow.pass(Duration::from_secs(100));
    flow.wake_promoter().await;
    flow.until("it has failed again", || async {
        flow.counters().await == (2, 2)
    })
    .await;
    running.stop().await;
    assert_eq!(field(&entry.payload, "retry"), false);
    assert!(flow.timed(TimedSet::Retry).await.is_empty());
    assert!(flow.timed(TimedSet::Dead).await.is_empty());
}

/// Fails in place of the job: with an error of its own, or with one that is the job's.
struct Instead(Option<MailError>);

impl Middleware for Instead {
    async fn call(&self, _: &Execution<'_>, _: Next<'_>) -> Result<Outcome, Failure> {
        Err(Failure {
            kind: FailureKind::Other,
            class: "Instead".to_owned(),
            message: "not today".to_owned(),
            backtrace: Vec::new(),
            error: match self.0 {
                Some(error) => Some(Box::new(error)),
                None => Some(Box::new(std::fmt::Error)),
            },
        })
    }
}

async fn an_error_of_middleware_matches_no_rule(flow: Flow) {
    let server = flow.server().0.only::<discards_all>();
    let payload = payload("DiscardsAll", 0, "");
    let server = server.middleware(Instead(None));
    let entry = failed(&flow, server, TimedSet::Retry, &payload).await;
    assert_waits(&flow, &entry, 15, 0);
}

async fn middleware_may_fail_with_the_jobs_own_error(flow: Flow) {
    let server = flow.server().0.only::<discards_all>();
    let server = server.middleware(Instead(Some(MailError::Gone)));
    gone(&flow, server, &payload("DiscardsAll", 0, "")).await;
}

flows! {
    attempts_count_executions_that_ended_in_the_rule
    a_job_that_is_discarded_by_a_rule_is_gone
    what_no_rule_matches_is_left_to_retry
    attempts_of_each_rule_are_counted_apart
    after_its_attempts_a_rule_leaves_it_to_retry_in
    a_wait_may_be_a_function
    a_wait_that_panics_is_the_usual_one
    the_first_rule_that_matches_counts
    a_guard_that_panics_matches_nothing
    what_is_no_count_counts_as_none
    a_rule_counts_where_retry_is_false
    an_error_of_middleware_matches_no_rule
    middleware_may_fail_with_the_jobs_own_error
}
