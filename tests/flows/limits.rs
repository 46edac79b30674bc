//! Time limits, why executions are given up, and those that do not stop.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use sancho::api::Process;
use sancho::store::{Claim, Owner, Registration, TimedSet};
use sancho::{Cause, Context, Record, job};
use tokio::runtime::Handle;

use crate::harness::{Flow, Report, Reports, Running, field, flows};

/// Holds threads until it is opened, or until a test that failed is long over.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let open = self.open.lock().unwrap();
        let longest = Duration::from_secs(60);
        let passed = self.opened.wait_timeout_while(open, longest, |open| !*open);
        drop(passed.unwrap());
    }
}

/// Tells why an execution was given up when its future is dropped.
struct Tells(Context, Report);

impl Drop for Tells {
    fn drop(&mut self) {
        let _ = self.1.send(format!("{:?}", self.0.cancel_reason()));
    }
}

#[job(retry = 0, timeout = "1s")]
async fn hangs_for_a_second(#[state] to: &Report, #[context] cx: &Context) {
    let _tells = Tells(cx.clone(), to.clone());
    std::future::pending::<()>().await;
}

#[job]
async fn hangs(#[state] to: &Report, #[context] cx: &Context) {
    let _tells = Tells(cx.clone(), to.clone());
    to.send("begun".into()).unwrap();
    std::future::pending::<()>().await;
}

#[job(retry = 0, timeout = "1s")]
async fn holds_its_thread(#[state] gate: &Gate) {
    gate.pass();
}

#[job(retry = 0, timeout = "1s")]
fn blocks(#[state] gate: &Gate) {
    gate.pass();
}

#[job(retry = 0, timeout = "1s")]
fn blocks_until_told(#[state] to: &Report, #[context] cx: &Context) {
    to.send("begun".into()).unwrap();
    Handle::current().block_on(cx.cancelled());
    to.send(format!("{:?}", cx.cancel_reason())).unwrap();
}

#[job]
fn stops_when_told(#[state] to: &Report, #[context] cx: &Context) {
    to.send("begun".into()).unwrap();
    Handle::current().block_on(cx.cancelled());
    to.send(format!("{:?}", cx.cancel_reason())).unwrap();
}

#[job]
async fn passes(n: u8, #[state] to: &Report) {
    to.send(format!("passed {n}")).unwrap();
}

macro_rules! push {
    ($flow:ident, $job:ident($($arg:expr),*)) => {
        $job::set().client(&$flow.client).perform_async($($arg),*).await.unwrap()
    };
}

fn serving(flow: &Flow) -> (sancho::runtime::ServerBuilder, Reports, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let (server, reports) = flow.server();
    let server = server.state_arc(gate.clone()).only::<passes>();
    (server.concurrency(1), reports, gate)
}

async fn has_timed_out(flow: &Flow, jobs: usize) {
    for entry in flow.until_timed(TimedSet::Dead, jobs).await {
        assert_eq!(field(&entry.payload, "error_class"), "sancho::Timeout");
    }
}

/// The one process that shows itself, once it has so many stuck jobs.
async fn stuck(flow: &Flow, jobs: u64) -> Process {
    let api = flow.api();
    flow.until(&format!("{jobs} stuck jobs are shown"), || async {
        let processes = api.processes().await.unwrap();
        processes.len() == 1 && processes[0].stuck == jobs
    })
    .await;
    api.processes().await.unwrap().remove(0)
}

async fn an_async_job_sees_its_timeout_as_it_is_dropped(flow: Flow) {
    let (server, mut reports, _) = serving(&flow);
    let running = Running::start(server.only::<hangs_for_a_second>());
    push!(flow, hangs_for_a_second());
    push!(flow, passes(1));
    assert_eq!(reports.some(2).await, ["Some(Timeout)", "passed 1"]);
    has_timed_out(&flow, 1).await;
    running.stop().await;
    assert_eq!(flow.counters().await, (2, 1));
}

async fn a_blocking_job_keeps_its_slot_until_it_has_stopped(flow: Flow) {
    let (server, mut reports, _) = serving(&flow);
    let running = Running::start(server.only::<blocks_until_told>());
    push!(flow, blocks_until_told());
    push!(flow, passes(1));
    let seen = reports.some(3).await;
    assert_eq!(seen, ["begun", "Some(Timeout)", "passed 1"]);
    // Whatever it returned, it took too long.
    has_timed_out(&flow, 1).await;
    running.stop().await;
    assert_eq!(flow.counters().await, (2, 1));
}

async fn a_blocking_job_that_does_not_stop_is_stuck_and_replaced(flow: Flow) {
    let (server, mut reports, gate) = serving(&flow);
    let running = Running::start(server.only::<blocks>());
    let jid = push!(flow, blocks());
    push!(flow, passes(1));
    assert_eq!(reports.next().await, "passed 1", "in the spare slot");
    has_timed_out(&flow, 1).await;
    let process = stuck(&flow, 1).await;
    assert_eq!((process.busy, process.concurrency), (1, 1));
    let work = flow.api().find_work(jid.as_str()).await.unwrap().unwrap();
    assert!(work.stuck);
    gate.open();
    stuck(&flow, 0).await;
    running.stop().await;
    // It has one end, though it returned as well.
    assert_eq!(flow.counters().await, (2, 1));
    assert_eq!(flow.timed(TimedSet::Dead).await.len(), 1);
}

async fn an_async_job_that_holds_its_thread_is_stuck_and_replaced(flow: Flow) {
    let (server, mut reports, gate) = serving(&flow);
    let running = Running::start(server.only::<holds_its_thread>());
    push!(flow, holds_its_thread());
    push!(flow, passes(1));
    assert_eq!(reports.next().await, "passed 1", "in the spare slot");
    has_timed_out(&flow, 1).await;
    stuck(&flow, 1).await;
    gate.open();
    stuck(&flow, 0).await;
    running.stop().await;
    assert_eq!(flow.counters().await, (2, 1));
}

async fn there_are_no_more_spare_slots_than_slots(flow: Flow) {
    let (server, mut reports, gate) = serving(&flow);
    let running = Running::start(server.only::<blocks>());
    push!(flow, blocks());
    push!(flow, blocks());
    push!(flow, passes(1));
    has_timed_out(&flow, 2).await;
    stuck(&flow, 2).await;
    assert!(reports.is_silent());
    assert_eq!(flow.queue("default").await.len(), 1);
    gate.open();
    assert_eq!(reports.next().await, "passed 1");
    stuck(&flow, 0).await;
    running.stop().await;
    assert_eq!(flow.counters().await, (3, 2));
}

async fn a_job_that_a_stop_gives_up_sees_that(flow: Flow) {
    let (server, mut reports, _) = serving(&flow);
    let server = server
        .concurrency(2)
        .only::<hangs>()
        .only::<stops_when_told>();
    let running = Running::start(server.shutdown_timeout(Duration::from_millis(50)));
    push!(flow, hangs());
    push!(flow, stops_when_told());
    assert_eq!(reports.some(2).await, ["begun", "begun"]);
    running.stop().await;
    assert_eq!(reports.some(2).await, ["Some(Shutdown)", "Some(Shutdown)"]);
    assert_eq!(flow.queue("default").await.len(), 2);
    assert_eq!(flow.counters().await, (0, 0));
}

/// Sees its timeout, and goes on.
#[job(retry = 0, timeout = "1s", retries_exhausted(mourn, &Report))]
fn outlives_its_claim(
    #[state] gate: &Gate,
    #[state] to: &Report,
    #[context] cx: &Context,
) -> Result<(), String> {
    Handle::current().block_on(cx.cancelled());
    to.send(format!("{:?}", cx.cancel_reason())).unwrap();
    gate.pass();
    Ok(())
}

async fn mourn(_: &Record, _: &Cause<String>, to: &Report) {
    to.send("mourned".into()).unwrap();
}

/// How often it is tried to lose a claim after the timeout and before the job is given up for good, which is a second later: a machine
/// that is slow mourns it first.
const ROUNDS: usize = 5;

async fn a_job_past_its_timeout_that_lost_its_claim_is_mourned_by_others(flow: Flow) {
    for _ in 0..ROUNDS {
        let before = flow.timed(TimedSet::Dead).await.len();
        let (server, mut reports, gate) = serving(&flow);
        let server = server.only::<outlives_its_claim>();
        let server = server.lease(Duration::from_millis(300)).build().unwrap();
        let capsule = server.handle().default_capsule();
        let running = Running::run(server);
        push!(flow, outlives_its_claim());
        assert_eq!(reports.next().await, "Some(Timeout)");
        take_over_everything(&flow).await;
        flow.until("the process has given it up", || async {
            capsule.busy() == 0
        })
        .await;
        gate.open();
        // There is one slot, which is free when all is said.
        push!(flow, passes(1));
        let mut said = vec![reports.next().await];
        if said == ["mourned"] {
            said.push(reports.next().await);
        }
        running.stop().await;
        assert!(reports.is_silent());
        if said == ["passed 1"] {
            let dead = flow.timed(TimedSet::Dead).await.len();
            assert_eq!(dead, before, "its end was refused");
            return;
        }
        assert_eq!(said, ["mourned", "passed 1"]);
    }
    panic!("it was mourned by a process that had lost it, each time");
}

const LEASE: Duration = Duration::from_secs(1);

async fn a_job_whose_claim_was_lost_sees_that_and_its_slot_is_free_when_it_has_stopped(flow: Flow) {
    let (server, mut reports, gate) = serving(&flow);
    let server = server.concurrency(2).only::<hangs>().only::<blocks>();
    let running = Running::start(server.lease(LEASE));
    push!(flow, hangs());
    push!(flow, blocks());
    assert_eq!(reports.next().await, "begun");
    flow.until("both are claimed", || async {
        flow.store().census().await.unwrap().claimed == 2
    })
    .await;
    take_over_everything(&flow).await;
    assert_eq!(reports.next().await, "Some(LeaseLost)");
    // One slot is free at once, the other one is held by a function that goes on.
    push!(flow, passes(1));
    assert_eq!(reports.next().await, "passed 1");
    stuck(&flow, 1).await;
    gate.open();
    stuck(&flow, 0).await;
    running.stop().await;
    assert_eq!(flow.counters().await, (1, 0));
}

/// As another process does that finds the lease run out before its owner renews it.
async fn take_over_everything(flow: &Flow) {
    flow.pass(LEASE * 100);
    let rescuer = Owner::random();
    let store = flow.store();
    let lease = LEASE * 1_000;
    let renewed = store.renew(&rescuer, lease, Registration::First).await;
    renewed.unwrap();
    let owners = store.owners().await.unwrap();
    for (seq, info) in (1..).zip(owners) {
        let taken = store.take_over(&rescuer, seq, &info.owner, 10).await;
        assert!(matches!(taken.unwrap(), Claim::Taken { .. }));
    }
}

flows! {
    an_async_job_sees_its_timeout_as_it_is_dropped
    a_blocking_job_keeps_its_slot_until_it_has_stopped
    a_blocking_job_that_does_not_stop_is_stuck_and_replaced
    an_async_job_that_holds_its_thread_is_stuck_and_replaced
    there_are_no_more_spare_slots_than_slots
    a_job_that_a_stop_gives_up_sees_that
    a_job_whose_claim_was_lost_sees_that_and_its_slot_is_free_when_it_has_stopped
    a_job_past_its_timeout_that_lost_its_claim_is_mourned_by_others
}
