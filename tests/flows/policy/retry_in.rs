//! `retry_in`.

use std::time::Duration;

use sancho::engine::{Execution, Middleware, Next};
use sancho::job::FailureKind;
use sancho::store::{Effect, PlaceName, TimedSet};
use sancho::{Failure, Outcome, RetryIn, job};

use super::{MailError, assert_waits, failed, gone, payload};
use crate::harness::{Flow, field, flows};

/// The guide's: rate limits wait longer, temporary errors as usual, and the rest by default.
fn wait_for(count: u32, error: &MailError) -> RetryIn {
    match error {
        MailError::RateLimit => RetryIn::After(Duration::from_secs(5 * 60) * count.pow(2)),
        MailError::Temporary => RetryIn::After(Duration::from_secs(u64::from(count).pow(4) + 15)),
        MailError::Refused(550) => RetryIn::Kill,
        MailError::Refused(551) => RetryIn::Discard,
        MailError::Refused(552) => panic!("no rule for this"),
        _ => RetryIn::Default,
    }
}

#[job(retry = 10, retry_in = wait_for)]
async fn charge(number: u16) -> Result<(), MailError> {
    Err(MailError::of(number))
}

#[job(retry = 10, retry_in = wait_for)]
async fn outcomes(_number: u16) -> Result<Outcome, MailError> {
    Ok(Outcome::Retry(Duration::from_secs(1_000)))
}

fn after(failures: u32) -> String {
    match failures {
        0 => String::new(),
        failures => format!(r#","retry_count":{},"failed_at":5"#, failures - 1),
    }
}

async fn rate_limits_wait_by_the_square_of_the_count(flow: Flow) {
    // At count 0 the wait is zero, which means the usual one.
    for (count, seconds) in [(0, 15), (1, 300), (3, 2_700)] {
        let server = flow.server().0.only::<charge>();
        let payload = payload("Charge", 0, &after(count));
        let entry = failed(&flow, server, TimedSet::Retry, &payload).await;
        assert_waits(&flow, &entry, seconds, count.into());
        let retries = PlaceName::Timed(TimedSet::Retry);
        flow.apply(vec![Effect::Take(retries, entry.payload)]).await;
    }
}

async fn temporary_errors_wait_by_the_fourth_power(flow: Flow) {
    let server = flow.server().0.only::<charge>();
    let payload = payload("Charge", 1, &after(4));
    let entry = failed(&flow, server, TimedSet::Retry, &payload).await;
    assert_waits(&flow, &entry, 271, 4);
    assert_eq!(field(&entry.payload, "retry_count"), 4);
}

async fn everything_else_waits_as_usual(flow: Flow) {
    let server = flow.server().0.only::<charge>();
    let payload = payload("Charge", 2, &after(2));
    let entry = failed(&flow, server, TimedSet::Retry, &payload).await;
    assert_waits(&flow, &entry, 31, 2);
}

async fn a_killed_job_is_dead_before_its_retries_are_used_up(flow: Flow) {
    let server = flow.server().0.only::<charge>();
    let dead = failed(&flow, server, TimedSet::Dead, &payload("Charge", 550, "")).await;
    assert_eq!(field(&dead.payload, "retry_count"), 0);
}

async fn a_discarded_job_is_gone(flow: Flow) {
    let server = flow.server().0.only::<charge>();
    gone(&flow, server, &payload("Charge", 551, "")).await;
}

async fn a_callback_that_panics_means_the_usual_wait(flow: Flow) {
    let server = flow.server().0.only::<charge>();
    let payload = payload("Charge", 552, &after(3));
    let entry = failed(&flow, server, TimedSet::Retry, &payload).await;
    assert_waits(&flow, &entry, 96, 3);
    assert_eq!(
        field(&entry.payload, "error_message"),
        "no mail: Refused(552)"
    );
}

async fn it_is_not_asked_once_the_retries_are_used_up(flow: Flow) {
    let server = flow.server().0.only::<charge>();
    let payload = payload("Charge", 551, &after(10));
    failed(&flow, server, TimedSet::Dead, &payload).await;
}

async fn a_job_that_asks_for_a_retry_itself_has_no_error(flow: Flow) {
    let server = flow.server().0.only::<outcomes>();
    let payload = payload("Outcomes", 0, &after(1));
    let entry = failed(&flow, server, TimedSet::Retry, &payload).await;
    assert_waits(&flow, &entry, 1_000, 1);
}

/// Fails in place of the job, with an error of its own.
struct Closed;

impl Middleware for Closed {
    async fn call(&self, _: &Execution<'_>, _: Next<'_>) -> Result<Outcome, Failure> {
        Err(Failure {
            kind: FailureKind::Other,
            class: "Closed".to_owned(),
            message: "closed on Sundays".to_owned(),
            backtrace: Vec::new(),
            error: Some(Box::new(std::fmt::Error)),
        })
    }
}

async fn an_error_of_middleware_waits_as_usual(flow: Flow) {
    let server = flow.server().0.only::<charge>().middleware(Closed);
    let payload = payload("Charge", 551, &after(2));
    let entry = failed(&flow, server, TimedSet::Retry, &payload).await;
    assert_waits(&flow, &entry, 31, 2);
    assert_eq!(field(&entry.payload, "error_class"), "Closed");
}

flows! {
    rate_limits_wait_by_the_square_of_the_count
    temporary_errors_wait_by_the_fourth_power
    everything_else_waits_as_usual
    a_killed_job_is_dead_before_its_retries_are_used_up
    a_discarded_job_is_gone
    a_callback_that_panics_means_the_usual_wait
    it_is_not_asked_once_the_retries_are_used_up
    a_job_that_asks_for_a_retry_itself_has_no_error
    an_error_of_middleware_waits_as_usual
}
