//! `retries_exhausted`.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use sancho::engine::{Death, DeathHandler, Execution, Middleware, Next};
use sancho::job::FailureKind;
use sancho::store::TimedSet;
use sancho::{Cause, Context, Exhausted, Failure, JobId, Outcome, Record, RetryIn, job};
use tokio::sync::{Semaphore, mpsc};

use super::MailError;
use crate::harness::{Flow, Report, Reports, Running, field, flows};

const LEASE: Duration = Duration::from_secs(1);

/// Where each callback reports to, and what it waits for, by the id of its job.
static HEARD: LazyLock<Mutex<HashMap<String, Heard>>> = LazyLock::new(Mutex::default);

#[derive(Clone)]
struct Heard {
    to: Report,
    go: Arc<Semaphore>,
}

fn hear(jid: &JobId, permits: usize) -> (Reports, Arc<Semaphore>) {
    let (to, heard) = Flow::reports();
    let go = Arc::new(Semaphore::new(permits));
    let entry = Heard { to, go: go.clone() };
    HEARD.lock().unwrap().insert(jid.as_str().to_owned(), entry);
    (heard, go)
}

async fn told(job: &Record, cause: &Cause<MailError>) -> Exhausted {
    let count = field(job.payload(), "retry_count");
    let text = format!("{} {count} {cause:?}", job.class());
    let heard = HEARD.lock().unwrap().get(job.jid().as_str()).cloned();
    if let Some(heard) = heard {
        heard.to.send(text).unwrap();
        heard.go.acquire().await.unwrap().forget();
    }
    match cause {
        Cause::Error(MailError::Refused(550)) => Exhausted::Discard,
        Cause::Error(MailError::Refused(551)) => panic!("nobody to tell"),
        _ => Exhausted::Bury,
    }
}

async fn fails(_: &Record, _: &Cause<MailError>) -> Result<(), String> {
    Err("nobody to tell".to_owned())
}

fn by_code(_: u32, error: &MailError) -> RetryIn {
    match error {
        MailError::Refused(700) => RetryIn::Kill,
        MailError::Refused(701) => RetryIn::Discard,
        _ => RetryIn::Default,
    }
}

#[job(
    retry = 0,
    timeout = "1s",
    discard_on(MailError::Gone),
    retries_exhausted = told
)]
async fn sync(number: u16) -> Result<Outcome, MailError> {
    match number {
        800 => panic!("no way"),
        801 => std::future::pending().await,
        802 => Ok(Outcome::Dead("hopeless".into())),
        803 => Ok(Outcome::Discard("not needed".into())),
        804 => Ok(Outcome::Retry(Duration::from_secs(1))),
        number => Err(MailError::of(number)),
    }
}

#[job(retry_in = by_code, retries_exhausted = told)]
async fn retried(number: u16) -> Result<(), MailError> {
    Err(MailError::of(number))
}

#[job(retry = 0, retries_exhausted = fails)]
async fn told_in_vain(number: u16) -> Result<(), MailError> {
    Err(MailError::of(number))
}

#[job(retries_exhausted = told)]
async fn waits(#[state] to: &Report, #[context] cx: &Context) -> Result<(), MailError> {
    to.send(format!("waits {}", cx.recoveries())).unwrap();
    cx.cancelled().await;
    std::future::pending().await
}

async fn push(flow: &Flow, class: &str, args: &str, jid: &JobId, more: &str) {
    let payload = format!(r#"{{"class":"{class}","args":[{args}],"jid":"{jid}"{more}}}"#);
    flow.push_raw("default", payload.as_bytes()).await;
}

/// Fails in place of the job where its tags say so.
struct Closed;

impl Middleware for Closed {
    async fn call(&self, job: &Execution<'_>, next: Next<'_>) -> Result<Outcome, Failure> {
        if job.context().tags().is_empty() {
            return next.run().await;
        }
        Err(Failure {
            kind: FailureKind::Other,
            class: "Closed".to_owned(),
            message: "closed on Sundays".to_owned(),
            backtrace: Vec::new(),
            error: Some(Box::new(std::fmt::Error)),
        })
    }
}

/// What `told` is told of a job with this argument.
async fn cause(flow: &Flow, class: &str, args: &str, more: &str) -> String {
    let jid = JobId::random();
    let (mut heard, _go) = hear(&jid, 1);
    let server = flow.server().0.only::<sync>().only::<retried>();
    let running = Running::start(server.middleware(Closed));
    push(flow, class, args, &jid, more).await;
    let told = heard.next().await;
    running.stop().await;
    assert!(heard.is_silent());
    told
}

async fn every_cause_is_told(flow: Flow) {
    for (args, more, expected) in [
        ("1", "", "Sync 0 Error(Temporary)"),
        ("800", "", "Sync 0 Panicked(\"no way (panicked at "),
        ("801", "", "Sync 0 TimedOut(\"the job ran longer"),
        ("\"x\"", "", "Sync 0 Undecodable(\"argument `number`"),
        (
            "802",
            "",
            "Sync 0 Other(Failure { kind: Other, class: \"sancho::Outcome::Dead\"",
        ),
        (
            "804",
            "",
            "Sync 0 Other(Failure { kind: Other, class: \"sancho::Outcome::Retry\"",
        ),
        (
            "1",
            r#","tags":["x"]"#,
            "Sync 0 Other(Failure { kind: Other, class: \"Closed\"",
        ),
    ] {
        let more = format!(r#","retry":0{more}"#);
        let told = cause(&flow, "Sync", args, &more).await;
        assert!(told.starts_with(expected), "{told}");
    }
    flow.until_timed(TimedSet::Dead, 7).await;
}

async fn a_job_is_exhausted_by_count_by_time_and_when_it_is_killed(flow: Flow) {
    let used_up = r#","retry":3,"retry_count":2,"failed_at":5"#;
    let told = cause(&flow, "Retried", "1", used_up).await;
    assert_eq!(told, "Retried 3 Error(Temporary)");
    let over = r#","retry":true,"retry_for":60,"retry_count":0,"failed_at":5"#;
    let told = cause(&flow, "Retried", "1", over).await;
    assert_eq!(told, "Retried 1 Error(Temporary)");
    let told = cause(&flow, "Retried", "700", "").await;
    assert_eq!(told, "Retried 0 Error(Refused(700))");
    // With `dead = false` it is told, and then discarded.
    let told = cause(&flow, "Retried", "1", r#","retry":0,"dead":false"#).await;
    assert_eq!(told, "Retried 0 Error(Temporary)");
    flow.until_timed(TimedSet::Dead, 3).await;
}

/// Notes each death.
#[derive(Clone)]
struct Notes(mpsc::UnboundedSender<String>);

impl DeathHandler for Notes {
    async fn call(&self, death: &Death<'_>) {
        let marked = !field(death.payload(), "discarded_at").is_null();
        let note = format!(
            "{} {} {marked}",
            field(death.payload(), "args"),
            death.is_buried()
        );
        self.0.send(note).unwrap();
    }
}

async fn what_is_discarded_or_dropped_is_not_told(flow: Flow) {
    let (notes, mut deaths) = Flow::reports();
    let server = flow.server().0.only::<sync>().only::<retried>();
    let running = Running::start(server.death_handler(Notes(notes)));
    let jids = [(); 4].map(|()| JobId::random());
    let mut heard = jids.each_ref().map(|jid| hear(jid, 1).0);
    for (jid, (class, args, more, death)) in jids.iter().zip([
        ("Sync", "2", "", "[2] false true"),
        ("Sync", "803", "", "[803] false true"),
        ("Retried", "701", "", "[701] false true"),
        ("Retried", "1", r#","retry":false"#, "[1] false false"),
    ]) {
        push(&flow, class, args, jid, more).await;
        assert_eq!(deaths.next().await, death);
    }
    running.stop().await;
    assert!(heard.iter_mut().all(Reports::is_silent));
    assert!(flow.timed(TimedSet::Dead).await.is_empty());
}

async fn a_callback_may_discard_the_job(flow: Flow) {
    let (notes, mut deaths) = Flow::reports();
    let server = flow.server().0.only::<sync>();
    let running = Running::start(server.death_handler(Notes(notes)));
    push(&flow, "Sync", "550", &JobId::random(), "").await;
    assert_eq!(deaths.next().await, "[550] false true");
    flow.until("it has failed", || async {
        flow.counters().await == (1, 1)
    })
    .await;
    running.stop().await;
    assert!(flow.timed(TimedSet::Dead).await.is_empty());
}

async fn a_callback_that_breaks_down_loses_nothing(flow: Flow) {
    let (notes, mut deaths) = Flow::reports();
    let server = flow.server().0.only::<sync>().only::<told_in_vain>();
    let running = Running::start(server.death_handler(Notes(notes)));
    push(&flow, "Sync", "551", &JobId::random(), "").await;
    assert_eq!(deaths.next().await, "[551] true false");
    push(&flow, "ToldInVain", "1", &JobId::random(), "").await;
    assert_eq!(deaths.next().await, "[1] true false");
    flow.until_timed(TimedSet::Dead, 2).await;
    running.stop().await;
}

async fn a_process_that_dies_in_a_callback_loses_nothing(flow: Flow) {
    let jid = JobId::random();
    let (mut heard, go) = hear(&jid, 0);
    push(&flow, "Sync", "1", &jid, "").await;
    let server = || flow.server().0.only::<sync>().lease(LEASE);
    let dying = Running::start(server());
    assert_eq!(heard.next().await, "Sync 0 Error(Temporary)");
    assert!(flow.timed(TimedSet::Dead).await.is_empty());
    dying.kill().await;

    let rescuer = Running::start(server());
    flow.pass(LEASE * 2);
    assert_eq!(heard.next().await, "Sync 0 Error(Temporary)");
    go.add_permits(1);
    flow.until_timed(TimedSet::Dead, 1).await;
    rescuer.stop().await;
    assert_eq!(flow.counters().await, (1, 1));
}

async fn a_poison_pill_is_told_and_holds_up_nobody(flow: Flow) {
    let jid = JobId::random();
    let (mut heard, go) = hear(&jid, 0);
    let recoveries = format!(
        r#","sancho_recoveries":{{"count":2,"first_at":{}}}"#,
        flow.now().as_millis()
    );
    push(&flow, "Waits", "", &jid, &recoveries).await;
    push(&flow, "Waits", "", &JobId::random(), "").await;
    let (server, mut reports) = flow.server();
    let dying = Running::start(server.only::<waits>().lease(LEASE));
    reports.some(2).await;
    dying.kill().await;

    let (server, mut reports) = flow.server();
    let server = server.only::<waits>().lease(LEASE);
    let running = Running::start(server.shutdown_timeout(Duration::ZERO));
    flow.pass(LEASE * 2);
    let told = heard.next().await;
    assert!(
        told.starts_with("Waits null Lost(\"the process that held the job died, 3 times"),
        "{told}"
    );
    assert_eq!(reports.next().await, "waits 1");
    assert!(flow.timed(TimedSet::Dead).await.is_empty());
    go.add_permits(1);
    let dead = flow.until_timed(TimedSet::Dead, 1).await;
    assert_eq!(field(&dead[0].payload, "error_class"), "sancho::Lost");
    running.stop().await;
}

flows! {
    every_cause_is_told
    a_job_is_exhausted_by_count_by_time_and_when_it_is_killed
    what_is_discarded_or_dropped_is_not_told
    a_callback_may_discard_the_job
    a_callback_that_breaks_down_loses_nothing
    a_process_that_dies_in_a_callback_loses_nothing
    a_poison_pill_is_told_and_holds_up_nobody
}
