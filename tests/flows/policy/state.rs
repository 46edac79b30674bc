//! State that callbacks borrow.

use std::time::Duration;

use sancho::runtime::Server;
use sancho::store::TimedSet;
use sancho::{Cause, Config, Exhausted, Record, RetryIn, job};

use super::{MailError, assert_waits, failed, payload};
use crate::harness::{Flow, Report, Running, flows};

/// What waits are counted by.
struct Limits {
    seconds: u64,
}

trait Postbox: Send + Sync {
    fn post(&self, text: String);
}

impl Postbox for Report {
    fn post(&self, text: String) {
        self.send(text).unwrap();
    }
}

fn wait_for(count: u32, error: &MailError, limits: &Limits) -> RetryIn {
    match error {
        MailError::RateLimit => {
            RetryIn::After(Duration::from_secs(limits.seconds * u64::from(count + 1)))
        }
        _ => RetryIn::Default,
    }
}

async fn post(
    job: &Record,
    cause: &Cause<MailError>,
    postbox: &dyn Postbox,
    limits: &Limits,
) -> Exhausted {
    // A client that is borrowed for as long as its call takes.
    tokio::task::yield_now().await;
    postbox.post(format!("{} {} {cause}", job.jid(), limits.seconds));
    Exhausted::Discard
}

/// Borrows nothing itself.
#[job(
    retry = 1,
    retry_in(wait_for, &Limits),
    retries_exhausted(post, &dyn Postbox, &Limits)
)]
async fn borrows_in_callbacks(number: u16) -> Result<(), MailError> {
    if number == 9 {
        return Ok(());
    }
    Err(MailError::of(number))
}

fn postbox(report: Report) -> std::sync::Arc<dyn Postbox> {
    std::sync::Arc::new(report)
}

async fn a_callback_borrows_state_of_the_server(flow: Flow) {
    let (report, mut reports) = Flow::reports();
    let server = || {
        let (server, _) = flow.server();
        server
            .only::<borrows_in_callbacks>()
            .state(Limits { seconds: 1_000 })
            .state_arc(postbox(report.clone()))
    };
    let class = "BorrowsInCallbacks";
    let first = payload(class, 0, "");
    let entry = failed(&flow, server(), TimedSet::Retry, &first).await;
    assert_waits(&flow, &entry, 1_000, 0);
    let running = Running::start(server());
    flow.pass(Duration::from_secs(1_100));
    flow.wake_promoter().await;
    assert_eq!(reports.next().await, "1 1000 no mail: RateLimit");
    flow.until("it is settled", || async {
        flow.counters().await == (2, 2)
    })
    .await;
    running.stop().await;
    for set in [TimedSet::Retry, TimedSet::Dead] {
        assert!(flow.timed(set).await.is_empty(), "it is discarded");
    }
}

flows! {
    a_callback_borrows_state_of_the_server
}

#[test]
fn state_of_a_callback_that_is_missing_stops_the_start() {
    let (report, _) = Flow::reports();
    let server = Server::builder().only::<borrows_in_callbacks>();
    let server = server.state_arc(postbox(report));
    let error = server.build().unwrap_err().to_string();
    assert!(error.contains("`borrows_in_callbacks`"), "{error}");
    assert!(error.contains("Limits`: add `.state(...)`"), "{error}");
    assert!(!error.contains("Postbox"), "{error}");
}

/// Nothing is tried again there, so no callback is called.
#[tokio::test]
async fn an_inline_run_needs_no_state_of_callbacks() {
    let client = sancho::Client::connect(Config::new().store("memory:"));
    let set = borrows_in_callbacks::set().client(&client.await.unwrap());
    set.perform_inline(9).await.unwrap();
}
