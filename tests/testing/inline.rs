//! Running jobs at their push.

use std::time::Duration;

use sancho::engine::{Execution, Middleware, Next};
use sancho::job::FailureKind;
use sancho::testing::{self, TestJobs as _};
use sancho::{Config, Failure, Outcome, PushError, job};

use crate::draining::Ledger;

#[job(queue = "inline")]
async fn runs_at_once(n: u32, #[state] ledger: &Ledger) -> Result<(), String> {
    ledger.write(format!("begin {n}"));
    if n == 13 {
        return Err("unlucky".into());
    }
    if n > 1 {
        runs_at_once::perform_async(n - 1)
            .await
            .map_err(|error| error.to_string())?;
    }
    ledger.write(format!("end {n}"));
    Ok(())
}

#[tokio::test]
async fn a_job_runs_at_its_push_and_so_do_those_that_it_pushes() {
    let inline = testing::inline();
    let ledger = Ledger::default();
    inline.state(ledger.clone());
    runs_at_once::perform_async(2).await.unwrap();
    assert_eq!(ledger.lines(), ["begin 2", "begin 1", "end 1", "end 2"]);
    assert!(runs_at_once::jobs().is_empty());
}

#[tokio::test]
async fn a_job_for_later_runs_at_once_as_in_sidekiq() {
    let inline = testing::inline();
    let ledger = Ledger::default();
    inline.state(ledger.clone());
    let hour = Duration::from_secs(3_600);
    runs_at_once::perform_in(hour, 1).await.unwrap();
    assert_eq!(ledger.lines(), ["begin 1", "end 1"]);
    assert!(inline.jobs().is_empty());
}

#[tokio::test]
async fn a_failure_is_the_error_of_the_push() {
    let inline = testing::inline();
    inline.state(Ledger::default());
    let error = runs_at_once::perform_async(13).await.unwrap_err();
    assert!(
        error.to_string().ends_with("failed: String: unlucky"),
        "{error}"
    );
    let PushError::Failed { failure, .. } = error else {
        panic!("another error: {error}");
    };
    assert_eq!(failure.kind, FailureKind::Error);
    let nested = runs_at_once::perform_async(14)
        .await
        .unwrap_err()
        .to_string();
    assert!(nested.contains("unlucky"), "{nested}");
    assert!(inline.jobs().is_empty());
}

#[tokio::test]
async fn a_bulk_runs_up_to_its_first_failure() {
    let inline = testing::inline();
    let ledger = Ledger::default();
    inline.state(ledger.clone());
    let error = runs_at_once::perform_bulk([1, 13, 1]).await.unwrap_err();
    assert!(matches!(error.source, PushError::Failed { .. }), "{error}");
    assert_eq!(ledger.lines(), ["begin 1", "end 1", "begin 13"]);
    assert!(inline.jobs().is_empty());
    runs_at_once::perform_bulk([1, 1]).await.unwrap();
    assert_eq!(ledger.lines().len(), 7);
}

#[tokio::test]
async fn what_cannot_be_run_is_an_error_of_its_push() {
    let inline = testing::inline();
    let error = runs_at_once::perform_async(1).await.unwrap_err();
    assert!(error.to_string().contains("needs `#[state]`"), "{error}");
    let error = sancho::client().push("NobodyHere", ()).await.unwrap_err();
    assert!(error.to_string().contains("NobodyHere"), "{error}");
    assert!(inline.jobs().is_empty());
}

#[tokio::test]
async fn inline_inside_of_a_fake_ends_with_its_guard() {
    let fake = testing::fake();
    {
        let inline = testing::inline();
        inline.state(Ledger::default());
        runs_at_once::perform_async(1).await.unwrap();
    }
    runs_at_once::perform_async(1).await.unwrap();
    assert_eq!(fake.jobs().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn pushes_side_by_side_get_the_end_of_their_own_job() {
    let inline = testing::inline();
    inline.state(Ledger::default());
    let pushes: Vec<_> = (0..40)
        .map(|n| tokio::spawn(runs_at_once::perform_async(if n % 2 == 0 { 1 } else { 13 })))
        .collect();
    for (n, push) in pushes.into_iter().enumerate() {
        assert_eq!(push.await.unwrap().is_ok(), n % 2 == 0);
    }
}

/// Writes down what runs.
struct Watches(Ledger);

impl Middleware for Watches {
    async fn call(&self, job: &Execution<'_>, next: Next<'_>) -> Result<Outcome, Failure> {
        let args = String::from_utf8_lossy(job.args());
        self.0.write(format!("{} {args}", job.class()));
        next.run().await
    }
}

#[tokio::test]
async fn every_way_to_run_a_job_goes_through_the_middleware_of_the_fake() {
    let ran = ["RunsAtOnce [1]", "begin 1", "end 1"];
    let of_fake = |fake: &testing::Fake| {
        let ledger = Ledger::default();
        fake.state(ledger.clone())
            .middleware(Watches(ledger.clone()));
        ledger
    };
    let fake = testing::fake();
    let ledger = of_fake(&fake);
    runs_at_once::perform_inline(1).await.unwrap();
    assert_eq!(ledger.lines(), ran);
    runs_at_once::perform_async(1).await.unwrap();
    assert_eq!(ledger.lines(), ran, "a push runs nothing");
    runs_at_once::drain().await.unwrap();
    assert_eq!(ledger.lines(), [ran, ran].concat());

    let inline = testing::inline();
    let ledger = of_fake(&inline);
    runs_at_once::perform_async(1).await.unwrap();
    assert_eq!(ledger.lines(), ran);
}

#[tokio::test]
async fn perform_inline_goes_through_the_middleware_of_the_client_that_is_configured() {
    let fake = testing::fake();
    let ledger = Ledger::default();
    let config = Config::new()
        .state(ledger.clone())
        .server_middleware(Watches(ledger.clone()));
    sancho::init(config).await.unwrap();
    runs_at_once::perform_inline(1).await.unwrap();
    assert_eq!(ledger.lines(), ["RunsAtOnce [1]", "begin 1", "end 1"]);
    assert!(fake.jobs().is_empty());
}

#[tokio::test]
async fn perform_inline_has_the_state_of_the_fake() {
    let fake = testing::fake();
    let ledger = Ledger::default();
    fake.state(ledger.clone());
    runs_at_once::perform_inline(1).await.unwrap();
    assert_eq!(ledger.lines(), ["begin 1", "end 1"]);
}
