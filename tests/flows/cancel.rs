//! Cancelling jobs, wherever they are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sancho::api::{ApiError, Cancelled};
use sancho::engine::Death;
use sancho::runtime::Server;
use sancho::store::{Effect, Members, PlaceName, TimedSet, keys};
use sancho::{Client, Context, JobId, job};
use tokio::sync::Semaphore;

use crate::harness::{Flow, Report, Running, flows};

/// Lets jobs end.
type Gate = Semaphore;

/// Reports when it begins, when it is told, and when its future is dropped.
struct Gone(Report);

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = self.0.send("gone".into());
    }
}

#[job]
async fn returns_when_told(#[state] to: &Report, #[context] cx: &Context) -> Result<(), String> {
    to.send("begun".into()).unwrap();
    cx.cancelled().await;
    to.send(format!("{:?}", cx.cancel_reason())).unwrap();
    Err("whatever it returns".into())
}

#[job]
async fn does_not_listen(#[state] to: &Report) {
    let _gone = Gone(to.clone());
    to.send("begun".into()).unwrap();
    std::future::pending::<()>().await;
}

#[job]
async fn fails_when_let(#[state] to: &Report, #[state] gate: &Gate) -> Result<(), String> {
    to.send("begun".into()).unwrap();
    gate.acquire().await.unwrap().forget();
    Err("it fails".into())
}

#[job]
async fn reports(n: u8, #[state] to: &Report) {
    to.send(format!("ran {n}")).unwrap();
}

/// Far longer than it takes, and shorter than a wait for a wake-up that was lost.
const SOON: Duration = Duration::from_secs(8);

async fn cancel(client: &Client, jid: &JobId) -> Cancelled {
    client.cancel(jid.as_str()).await.unwrap()
}

/// Nothing of it is left anywhere.
async fn is_nowhere(flow: &Flow) {
    flow.until("its claim has ended", || async {
        flow.store().census().await.unwrap().claimed == 0
    })
    .await;
    for set in TimedSet::ALL {
        assert!(flow.timed(set).await.is_empty(), "{set:?}");
    }
    assert!(flow.queue("default").await.is_empty());
}

async fn a_job_that_waits_is_taken_out_of_its_place(flow: Flow) {
    let set = || reports::set().client(&flow.client);
    let queued = set().perform_async(1).await.unwrap();
    let other = set().perform_async(2).await.unwrap();
    let later = set().perform_in(Duration::from_secs(60), 3).await.unwrap();
    let retried = r#"{"class":"Reports","args":[4],"jid":"r","queue":"default","retry_count":0}"#;
    let at = sancho::store::Place::Timed {
        set: TimedSet::Retry,
        at: flow.now().after(Duration::from_secs(60)),
    };
    flow.put(retried.as_bytes(), at).await;

    let from = PlaceName::queue("default");
    assert_eq!(
        cancel(&flow.client, &queued).await,
        Cancelled::Removed(from)
    );
    let from = TimedSet::Schedule.into();
    assert_eq!(cancel(&flow.client, &later).await, Cancelled::Removed(from));
    let from = TimedSet::Retry.into();
    let retried = JobId::from_text("r");
    assert_eq!(
        cancel(&flow.client, &retried).await,
        Cancelled::Removed(from)
    );
    for jid in [&queued, &later, &retried] {
        assert_eq!(cancel(&flow.client, jid).await, Cancelled::NotFound);
    }
    assert_eq!(flow.queue("default").await.len(), 1);
    cancel(&flow.client, &other).await;
    is_nowhere(&flow).await;
}

async fn a_dead_job_and_no_job_are_not_found(flow: Flow) {
    let dead = sancho::store::Place::Timed {
        set: TimedSet::Dead,
        at: flow.now(),
    };
    flow.put(br#"{"class":"Reports","args":[1],"jid":"d"}"#, dead)
        .await;
    for jid in ["d", "none", "\" \\"] {
        let cancelled = flow.client.cancel(jid).await.unwrap();
        assert_eq!(cancelled, Cancelled::NotFound);
    }
    assert_eq!(flow.timed(TimedSet::Dead).await.len(), 1);
    let error = flow.client.cancel("").await.unwrap_err();
    assert!(matches!(error, ApiError::Invalid(_)), "{error}");
}

async fn a_running_job_sees_it_and_is_discarded_whatever_it_returns(flow: Flow) {
    let (server, mut seen) = flow.server();
    let (died, mut deaths) = Flow::reports();
    let server = server.death_handler(move |death: &Death<'_>| {
        let text = format!("{} {}", death.error_class(), death.is_buried());
        died.send(text).unwrap();
    });
    let running = Running::start(server.only::<returns_when_told>());
    let job = returns_when_told::set().client(&flow.client);
    let jid = job.perform_async().await.unwrap();
    assert_eq!(seen.next().await, "begun");
    assert_eq!(cancel(&flow.client, &jid).await, Cancelled::Told);
    assert_eq!(seen.next().await, "Some(User)");
    assert_eq!(deaths.next().await, "sancho::Cancelled false");
    is_nowhere(&flow).await;
    assert_eq!(cancel(&flow.client, &jid).await, Cancelled::NotFound);
    running.stop().await;
    assert_eq!(flow.counters().await, (1, 0));
    let kept = [keys::iteration(jid.as_str())];
    assert!(flow.store().fields(&kept).await.unwrap()[0].is_empty());
    let kept = [keys::cancelled(jid.as_str())];
    assert_eq!(flow.store().values(&kept).await.unwrap(), [None]);
}

async fn a_job_that_does_not_listen_is_dropped_and_its_slot_is_free(flow: Flow) {
    let (server, mut seen) = flow.server();
    let server = server.only::<does_not_listen>().only::<reports>();
    let running = Running::start(server.concurrency(1));
    let job = does_not_listen::set().client(&flow.client);
    let jid = job.perform_async().await.unwrap();
    let next = reports::set().client(&flow.client);
    next.perform_async(1).await.unwrap();
    assert_eq!(seen.next().await, "begun");
    assert_eq!(cancel(&flow.client, &jid).await, Cancelled::Told);
    assert_eq!(seen.some(2).await, ["gone", "ran 1"]);
    is_nowhere(&flow).await;
    running.stop().await;
    assert_eq!(flow.counters().await, (2, 0));
}

async fn a_job_is_cancelled_from_another_process_and_in_the_one_that_runs_it(flow: Flow) {
    let (server, mut here) = flow.server();
    let here_runs = Running::start(server.only::<returns_when_told>().concurrency(1));
    let job = || returns_when_told::set().client(&flow.client);
    let first = job().perform_async().await.unwrap();
    assert_eq!(here.next().await, "begun");
    let elsewhere = flow.another_client().await;
    let (report, mut there) = Flow::reports();
    let server = Server::builder().client(&elsewhere).state(report);
    let there_runs = Running::start(server.only::<returns_when_told>().concurrency(1));
    let second = job().perform_async().await.unwrap();
    assert_eq!(there.next().await, "begun");

    let start = Instant::now();
    assert_eq!(cancel(&flow.client, &second).await, Cancelled::Told);
    assert_eq!(there.next().await, "Some(User)");
    assert!(here.is_silent());
    assert_eq!(cancel(&elsewhere, &first).await, Cancelled::Told);
    assert_eq!(here.next().await, "Some(User)");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    is_nowhere(&flow).await;
    here_runs.stop().await;
    there_runs.stop().await;
}

async fn a_job_that_fails_while_it_is_cancelled_is_not_tried_again(flow: Flow) {
    let gate = Arc::new(Gate::new(0));
    let (server, mut seen) = flow.server();
    let server = server.state_arc(gate.clone()).only::<fails_when_let>();
    let running = Running::start(server);
    for _ in 0..30 {
        let job = fails_when_let::set().client(&flow.client);
        let jid = job.perform_async().await.unwrap();
        assert_eq!(seen.next().await, "begun");
        gate.add_permits(1);
        match cancel(&flow.client, &jid).await {
            Cancelled::Told => {}
            Cancelled::Removed(place) => assert_eq!(place, TimedSet::Retry.into()),
            other => panic!("{other:?}"),
        }
        is_nowhere(&flow).await;
        // The permit may be left over, of a job that was dropped.
        gate.forget_permits(1);
    }
    running.stop().await;
}

async fn a_job_whose_process_dies_after_it_was_cancelled_is_not_run_again(flow: Flow) {
    const LEASE: Duration = Duration::from_secs(1);
    let (server, mut seen) = flow.server();
    let dying = Running::start(server.only::<does_not_listen>().lease(LEASE));
    let job = does_not_listen::set().client(&flow.client);
    let jid = job.perform_async().await.unwrap();
    assert_eq!(seen.next().await, "begun");
    dying.kill().await;
    assert_eq!(cancel(&flow.client, &jid).await, Cancelled::Told);

    let (server, mut seen) = flow.server();
    let server = server.only::<does_not_listen>().only::<reports>();
    let rescuer = Running::start(server.lease(LEASE));
    flow.pass(LEASE * 2);
    is_nowhere(&flow).await;
    let next = reports::set().client(&flow.client);
    next.perform_async(1).await.unwrap();
    assert_eq!(seen.next().await, "ran 1");
    rescuer.stop().await;
}

async fn a_job_that_is_handed_back_after_it_was_cancelled_waits_nowhere(flow: Flow) {
    let (server, mut seen) = flow.server();
    let server = server.only::<does_not_listen>();
    let running = Running::start(server.shutdown_timeout(Duration::ZERO));
    let job = does_not_listen::set().client(&flow.client);
    let jid = job.perform_async().await.unwrap();
    assert_eq!(seen.next().await, "begun");
    assert_eq!(cancel(&flow.client, &jid).await, Cancelled::Told);
    running.stop().await;
    is_nowhere(&flow).await;
}

async fn a_process_of_rubys_is_asked_as_sidekiq_asks(flow: Flow) {
    let payload = r#"{"class":"Import","args":[],"jid":"abc","queue":"default"}"#;
    let shown = serde_json::json!({"queue": "default", "payload": payload, "run_at": 1});
    let fields = |key, field: &str, value: String| Effect::SetFields {
        key,
        fields: vec![(field.into(), Bytes::from(value))],
        ttl: None,
    };
    let info = |label| format!(r#"{{"labels":["{label}"]}}"#);
    let ruby = "vm:8:ruby";
    flow.apply(vec![
        Effect::Join(Members::Processes, ruby.into()),
        fields(keys::process(ruby), "info", info("blue")),
        fields(keys::work(ruby), "7qn", shown.to_string()),
    ])
    .await;
    let asked = Cancelled::Asked {
        process: ruby.into(),
    };
    assert_eq!(flow.client.cancel("abc").await.unwrap(), asked);
    let state = flow.api().iteration("abc").await.unwrap().unwrap();
    assert!(state.cancelled.is_some());
    // What one of ours told some seconds ago, and has no claim any more, is over.
    flow.apply(vec![fields(keys::process(ruby), "info", info("sancho"))])
        .await;
    assert_eq!(
        flow.client.cancel("abc").await.unwrap(),
        Cancelled::NotFound
    );
}

flows! {
    a_job_that_waits_is_taken_out_of_its_place
    a_dead_job_and_no_job_are_not_found
    a_running_job_sees_it_and_is_discarded_whatever_it_returns
    a_job_that_does_not_listen_is_dropped_and_its_slot_is_free
    a_job_is_cancelled_from_another_process_and_in_the_one_that_runs_it
    a_job_that_fails_while_it_is_cancelled_is_not_tried_again
    a_job_whose_process_dies_after_it_was_cancelled_is_not_run_again
    a_job_that_is_handed_back_after_it_was_cancelled_waits_nowhere
    a_process_of_rubys_is_asked_as_sidekiq_asks
}
