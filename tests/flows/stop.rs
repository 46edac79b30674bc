//! Stopping, dying, and being taken for dead.

use std::time::Duration;

use sancho::store::TimedSet;
use sancho::{Context, Outcome, job};

use crate::harness::{Flow, Report, Running, field, flows};

#[job]
async fn waits(n: u8, #[state] to: &Report, #[context] cx: &Context) {
    to.send(format!("{n} {}", cx.recoveries())).unwrap();
    cx.cancelled().await;
    std::future::pending::<()>().await;
}

#[job]
async fn leaves_off(#[state] to: &Report, #[context] cx: &Context) -> Outcome {
    to.send("running".into()).unwrap();
    cx.stopping().await;
    Outcome::Interrupted
}

#[job]
async fn reports(n: u8, #[state] to: &Report, #[context] cx: &Context) {
    to.send(format!("{n} {}", cx.recoveries())).unwrap();
}

const LEASE: Duration = Duration::from_secs(1);

async fn args(flow: &Flow) -> Vec<String> {
    flow.queue("default")
        .await
        .iter()
        .map(|payload| field(payload.as_bytes(), "args").to_string())
        .collect()
}

async fn a_stop_hands_unfinished_jobs_back_in_their_order(flow: Flow) {
    waits::set()
        .client(&flow.client)
        .perform_bulk(0..8)
        .await
        .unwrap();
    let before = flow.queue("default").await;
    let (server, mut seen) = flow.server();
    let running = Running::start(
        server
            .only::<waits>()
            .concurrency(5)
            .shutdown_timeout(Duration::from_millis(50)),
    );
    seen.some(5).await;
    running.stop().await;
    assert_eq!(flow.queue("default").await, before);
    assert_eq!(flow.counters().await, (0, 0));
    assert_eq!(flow.store().census().await.unwrap().claimed, 0);
}

async fn an_interrupted_job_goes_back_and_is_no_failure(flow: Flow) {
    leaves_off::set()
        .client(&flow.client)
        .perform_async()
        .await
        .unwrap();
    let before = flow.queue("default").await;
    let (server, mut seen) = flow.server();
    let running = Running::start(server.only::<leaves_off>());
    seen.next().await;
    running.stop().await;
    assert_eq!(flow.queue("default").await, before);
    assert_eq!(flow.counters().await, (0, 0));
}

async fn the_jobs_of_a_dead_process_run_elsewhere_with_their_recovery_counted(flow: Flow) {
    waits::set()
        .client(&flow.client)
        .perform_bulk(0..3)
        .await
        .unwrap();
    let (server, mut seen) = flow.server();
    let dying = Running::start(server.only::<waits>().lease(LEASE));
    seen.some(3).await;
    dying.kill().await;

    let (server, mut seen) = flow.server();
    let rescuer = Running::start(
        server
            .only::<waits>()
            .lease(LEASE)
            .shutdown_timeout(Duration::ZERO),
    );
    flow.pass(LEASE * 2);
    let mut again = seen.some(3).await;
    again.sort();
    assert_eq!(again, ["0 1", "1 1", "2 1"]);
    rescuer.stop().await;
    assert_eq!(args(&flow).await, ["[0]", "[1]", "[2]"]);
    assert_eq!(flow.counters().await, (0, 0));
}

async fn a_job_that_was_recovered_three_times_is_dead(flow: Flow) {
    waits::set()
        .client(&flow.client)
        .perform_async(1)
        .await
        .unwrap();
    for death in 0..3 {
        let (server, mut seen) = flow.server();
        let dying = Running::start(server.only::<waits>().lease(LEASE));
        flow.pass(LEASE * 2);
        assert_eq!(seen.next().await, format!("1 {death}"));
        dying.kill().await;
    }
    let (server, mut seen) = flow.server();
    let running = Running::start(server.only::<waits>().lease(LEASE));
    flow.pass(LEASE * 2);
    let dead = flow.until_timed(TimedSet::Dead, 1).await;
    assert_eq!(field(&dead[0].payload, "error_class"), "sancho::Lost");
    assert_eq!(field(&dead[0].payload, "sancho_recoveries")["count"], 3);
    assert!(seen.is_silent());
    running.stop().await;
}

async fn a_process_that_was_taken_for_dead_goes_on_as_a_new_owner(flow: Flow) {
    let (server, mut seen) = flow.server();
    let running = Running::start(server.only::<waits>().only::<reports>().lease(LEASE));
    waits::set()
        .client(&flow.client)
        .perform_async(1)
        .await
        .unwrap();
    seen.next().await;
    // Another process finds the lease run out before this one renews it.
    flow.pass(LEASE * 100);
    let rescuer = sancho::store::Owner::random();
    flow.store()
        .renew(&rescuer, LEASE * 1_000, sancho::store::Registration::First)
        .await
        .unwrap();
    let mut taken = 0;
    for owner in flow.store().owners().await.unwrap() {
        if let sancho::store::Claim::Taken { jobs, .. } = flow
            .store()
            .take_over(&rescuer, taken + 1, &owner.owner, 10)
            .await
            .unwrap()
        {
            taken += 1 + jobs.len() as u64;
        }
    }
    // What the new owner claims is not given up with what the old one held.
    reports::set()
        .client(&flow.client)
        .perform_bulk(0..20)
        .await
        .unwrap();
    assert!(seen.some(20).await.contains(&"7 0".to_owned()));
    flow.until("all of them are settled", || async {
        flow.counters().await.0 == 20
    })
    .await;
    running.stop().await;
}

flows! {
    a_stop_hands_unfinished_jobs_back_in_their_order
    an_interrupted_job_goes_back_and_is_no_failure
    the_jobs_of_a_dead_process_run_elsewhere_with_their_recovery_counted
    a_job_that_was_recovered_three_times_is_dead
    a_process_that_was_taken_for_dead_goes_on_as_a_new_owner
}
