//! Running what a fake holds.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sancho::engine::{Execution, Middleware, Next};
use sancho::job::FailureKind;
use sancho::testing::{self, RunError, TestJobs as _};
use sancho::{Cause, Context, Failure, Outcome, Record, job};

/// What jobs write down.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Vec<String>>>);

impl Ledger {
    pub(crate) fn write(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[derive(Debug, PartialEq)]
struct Declined(u32);

#[job(retry = 0, retries_exhausted(mourn, &Ledger))]
async fn is_mourned(cents: u32) -> Result<(), Declined> {
    Err(Declined(cents))
}

async fn mourn(_: &Record, cause: &Cause<Declined>, ledger: &Ledger) {
    ledger.write(format!("mourned: {cause}"));
}

#[tokio::test]
async fn callbacks_borrow_state_of_the_fake() {
    let fake = testing::fake();
    is_mourned::perform_async(7).await.unwrap();
    let missing = is_mourned::drain().await.unwrap_err();
    assert!(
        missing.to_string().contains("`#[state]` of type"),
        "{missing}"
    );
    let ledger = Ledger::default();
    fake.state(ledger.clone());
    is_mourned::drain().await.unwrap_err();
    assert_eq!(ledger.lines(), ["mourned: declined with 7"]);
    assert_eq!(fake.dead().len(), 1);
}

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "declined with {}", self.0)
    }
}

impl std::error::Error for Declined {}

#[job(queue = "halving")]
async fn halves(n: u32, #[state] ledger: &Ledger) {
    ledger.write(format!("{n}"));
    if n > 1 {
        halves::perform_async(n / 2).await.unwrap();
        notes_down(n, ledger).await;
    }
}

#[job]
async fn notes_down(n: u32, #[state] ledger: &Ledger) {
    ledger.write(format!("note {n}"));
}

#[job(retry = 2)]
async fn pays(
    cents: u32,
    #[state] ledger: &Ledger,
    #[context] cx: &Context,
) -> Result<(), Declined> {
    ledger.write(format!("{cents} {} {}", cx.attempt(), cx.queue()));
    if cx.attempt() <= cents {
        return Err(Declined(cents));
    }
    Ok(())
}

#[job]
fn blocks(#[state] ledger: &Ledger) {
    ledger.write("blocked");
}

#[job(retry = 0)]
async fn panics_in_a_test() {
    panic!("no way");
}

#[job(retry = 0, timeout = "1s")]
async fn takes_too_long() {
    std::future::pending::<()>().await;
}

#[job]
async fn asks_for(what: String) -> Outcome {
    match what.as_str() {
        "again" => Outcome::Retry(Duration::from_secs(60)),
        "later" => Outcome::Snooze(Duration::from_secs(60)),
        "death" => Outcome::Dead("it said so".into()),
        _ => Outcome::Discard("it said so".into()),
    }
}

#[tokio::test]
async fn draining_runs_what_jobs_enqueue_and_only_jobs_of_the_type() {
    let fake = testing::fake();
    let ledger = Ledger::default();
    fake.state(ledger.clone());
    halves::perform_async(8).await.unwrap();
    notes_down::perform_async(0).await.unwrap();
    assert_eq!(halves::drain().await.unwrap(), 4);
    assert_eq!(
        ledger.lines(),
        ["8", "note 8", "4", "note 4", "2", "note 2", "1"]
    );
    assert_eq!(fake.jobs().len(), 1);
    assert_eq!(fake.drain_all().await.unwrap(), 1);
    assert_eq!(fake.drain_all().await.unwrap(), 0);
    assert_eq!(fake.api().stats().await.unwrap().processed, 5);
}

#[tokio::test]
async fn draining_all_goes_by_the_order_of_pushes_across_queues() {
    let fake = testing::fake();
    let ledger = Ledger::default();
    fake.state(ledger.clone());
    notes_down::perform_async(1).await.unwrap();
    halves::perform_async(1).await.unwrap();
    notes_down::set().queue("a").perform_async(2).await.unwrap();
    notes_down::perform_async(3).await.unwrap();
    blocks::perform_async().await.unwrap();
    assert_eq!(fake.drain_all().await.unwrap(), 5);
    assert_eq!(
        ledger.lines(),
        ["note 1", "1", "note 2", "note 3", "blocked"]
    );
}

#[tokio::test]
async fn one_job_is_performed_and_none_is_an_error() {
    let fake = testing::fake();
    fake.state(Ledger::default());
    notes_down::perform_async(1).await.unwrap();
    notes_down::perform_in(Duration::from_secs(60), 2)
        .await
        .unwrap();
    notes_down::perform_one().await.unwrap();
    let error = notes_down::perform_one().await.unwrap_err().to_string();
    assert_eq!(
        error,
        "no job `notes_down` is due; the next one is in 60s: move the clock with `fake.advance(...)`"
    );
    let error = halves::perform_one().await.unwrap_err();
    assert!(matches!(error, RunError::Empty(_)));
    assert_eq!(error.to_string(), "no job `halves` is enqueued");
    fake.advance(Duration::from_secs(60));
    fake.perform_one().await.unwrap();
    assert!(fake.jobs().is_empty());
}

#[tokio::test]
async fn a_failure_is_given_to_the_test_and_the_rest_stays() {
    let fake = testing::fake();
    let ledger = Ledger::default();
    fake.state(ledger.clone());
    pays::perform_async(1).await.unwrap();
    pays::perform_async(0).await.unwrap();
    let error = pays::drain().await.unwrap_err();
    assert_eq!(error.error::<Declined>(), Some(&Declined(1)));
    assert_eq!(error.failure().unwrap().kind, FailureKind::Error);
    assert_eq!(error.job().unwrap().args(), Some("[1]"));
    assert!(error.to_string().contains("declined with 1"), "{error}");
    assert_eq!(pays::jobs().len(), 1);
    assert_eq!(fake.retries().len(), 1);
    assert_eq!(fake.retries()[0].retry_count(), Some(0));
    assert_eq!(pays::drain().await.unwrap(), 1);

    let error = pays::perform_one().await.unwrap_err().to_string();
    assert!(
        error.starts_with("no job `pays` is due; the next one is in"),
        "{error}"
    );
    fake.advance(Duration::from_secs(60));
    assert_eq!(pays::drain().await.unwrap(), 1);
    assert_eq!(
        ledger.lines(),
        ["1 1 default", "0 1 default", "1 2 default"]
    );
}

#[tokio::test]
async fn draining_to_the_end_runs_retries_and_what_is_scheduled() {
    let fake = testing::fake();
    let ledger = Ledger::default();
    fake.state(ledger.clone());
    let start = fake.clock().now();
    pays::perform_async(2).await.unwrap();
    pays::perform_async(9).await.unwrap();
    notes_down::perform_in(Duration::from_secs(3_600), 1)
        .await
        .unwrap();
    let settled = fake.drain_to_end().await.unwrap();
    assert_eq!(settled.ran, 3 + 3 + 1);
    assert_eq!(settled.failures.len(), 2 + 3);
    let dead = fake.dead();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].args(), Some("[9]"));
    assert!(fake.jobs().is_empty() && fake.retries().is_empty());
    assert_eq!(ledger.lines().last().unwrap(), "note 1");
    assert_eq!(fake.clock().now(), start.after(Duration::from_secs(3_600)));
    fake.clear_all();
    assert!(fake.dead().is_empty());
}

#[tokio::test]
async fn scheduled_jobs_run_when_their_time_has_come() {
    let fake = testing::fake();
    let ledger = Ledger::default();
    fake.state(ledger.clone());
    for minutes in [30, 10, 20] {
        notes_down::perform_in(Duration::from_secs(60 * u64::from(minutes)), minutes)
            .await
            .unwrap();
    }
    assert_eq!(notes_down::drain().await.unwrap(), 0);
    fake.advance(Duration::from_secs(20 * 60));
    assert_eq!(notes_down::drain().await.unwrap(), 2);
    assert_eq!(notes_down::jobs().len(), 1);
    fake.advance(Duration::from_secs(10 * 60));
    assert_eq!(notes_down::drain().await.unwrap(), 1);
    assert_eq!(ledger.lines(), ["note 10", "note 20", "note 30"]);
}

#[tokio::test(start_paused = true)]
async fn panics_and_timeouts_are_failures() {
    let fake = testing::fake();
    panics_in_a_test::perform_async().await.unwrap();
    takes_too_long::perform_async().await.unwrap();
    let panicked = panics_in_a_test::drain().await.unwrap_err();
    assert_eq!(panicked.failure().unwrap().kind, FailureKind::Panicked);
    assert!(
        panicked.to_string().contains("no way (panicked at"),
        "{panicked}"
    );
    let timed_out = takes_too_long::drain().await.unwrap_err();
    assert_eq!(timed_out.failure().unwrap().kind, FailureKind::TimedOut);
    assert_eq!(fake.dead().len(), 2);
}

#[tokio::test]
async fn outcomes_are_settled_as_in_production() {
    let fake = testing::fake();
    for what in ["again", "later", "death", "discard"] {
        asks_for::perform_async(what.into()).await.unwrap();
    }
    let again = fake.perform_one().await.unwrap_err().to_string();
    assert!(again.contains("tried again after 60s"), "{again}");
    fake.perform_one().await.unwrap();
    let death = fake.perform_one().await.unwrap_err().to_string();
    assert!(death.contains("it said so"), "{death}");
    fake.perform_one().await.unwrap();
    assert_eq!(fake.retries().len(), 1);
    assert_eq!(fake.dead().len(), 1);
    assert_eq!(asks_for::jobs().len(), 1);
    assert_eq!(asks_for::jobs()[0].args(), ("later".to_owned(),));
}

struct Counting(Ledger);

impl Middleware for Counting {
    async fn call(&self, job: &Execution<'_>, next: Next<'_>) -> Result<Outcome, Failure> {
        self.0.write(format!("before {}", job.class()));
        let result = next.run().await;
        self.0.write(format!("after {}", result.is_ok()));
        result
    }
}

#[tokio::test]
async fn server_middleware_and_death_handlers_run_once_they_are_added() {
    let fake = testing::fake();
    let ledger = Ledger::default();
    fake.state(ledger.clone())
        .middleware(Counting(ledger.clone()));
    let of_deaths = ledger.clone();
    fake.server(|server| {
        server
            .max_retries(0)
            .death_handler(move |_: &sancho::engine::Death<'_>| of_deaths.write("died"))
    });
    notes_down::perform_async(1).await.unwrap();
    panics_in_a_test::perform_async().await.unwrap();
    assert!(fake.drain_all().await.is_err());
    assert_eq!(
        ledger.lines(),
        [
            "before NotesDown",
            "note 1",
            "after true",
            "before PanicsInATest",
            "died"
        ]
    );
}

#[tokio::test]
async fn a_job_that_cannot_be_run_says_why_and_stays() {
    let fake = testing::fake();
    notes_down::perform_async(1).await.unwrap();
    let error = notes_down::drain().await.unwrap_err();
    assert!(matches!(error, RunError::Unrunnable { .. }));
    assert!(
        error.to_string().contains("needs `#[state]` of type"),
        "{error}"
    );
    assert_eq!(notes_down::jobs().len(), 1);
    fake.state(Ledger::default());
    assert_eq!(notes_down::drain().await.unwrap(), 1);

    sancho::client().push("NobodyHere", ()).await.unwrap();
    let error = fake.drain_all().await.unwrap_err().to_string();
    assert!(error.contains(r#"no job of class "NobodyHere""#), "{error}");
    assert_eq!(fake.jobs().len(), 1);
}

mod twins {
    use super::Ledger;
    use sancho::job;

    pub(super) mod one {
        use super::*;

        #[job(class = "Twin")]
        pub(crate) async fn twin(#[state] ledger: &Ledger) {
            ledger.write("one");
        }
    }

    pub(super) mod two {
        use super::*;

        #[job(class = "Twin")]
        pub(crate) async fn twin(#[state] ledger: &Ledger) {
            ledger.write("two");
        }
    }
}

#[tokio::test]
async fn of_two_jobs_of_one_class_the_one_that_is_named_runs() {
    let fake = testing::fake();
    let ledger = Ledger::default();
    fake.state(ledger.clone());
    twins::one::twin::perform_async().await.unwrap();
    let error = fake.drain_all().await.unwrap_err().to_string();
    assert!(error.contains("two jobs are called `Twin`"), "{error}");
    assert_eq!(twins::two::twin::drain().await.unwrap(), 1);
    twins::one::twin::perform_async().await.unwrap();
    fake.register::<twins::one::twin>();
    assert_eq!(fake.drain_all().await.unwrap(), 1);
    assert_eq!(ledger.lines(), ["two", "one"]);
}

#[job]
async fn meets(n: u32, #[state] barrier: &tokio::sync::Barrier) {
    let _ = n;
    barrier.wait().await;
}

#[tokio::test]
async fn drains_side_by_side_run_each_job_once() {
    let fake = testing::fake();
    fake.state(tokio::sync::Barrier::new(2));
    meets::perform_bulk(0..20).await.unwrap();
    // Each job waits for one of the other drain, so they are in each other's way all the time.
    let (a, b) = tokio::join!(meets::drain(), meets::drain());
    assert_eq!(a.unwrap() + b.unwrap(), 20);
    assert_eq!(fake.api().stats().await.unwrap().processed, 20);
}

#[tokio::test]
async fn thousands_of_jobs_are_drained() {
    let fake = testing::fake();
    fake.state(Ledger::default());
    notes_down::perform_bulk(0..3_000).await.unwrap();
    assert_eq!(fake.drain_all().await.unwrap(), 3_000);
}
