//! Processes that are taken for dead and are not, and clocks that are wrong.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::ledger::What;
use crate::site::{Site, job, job_in, send};

const LEASE: Option<Duration> = Some(Duration::from_millis(500));

on_both_stores! {
    late_results_of_a_stopped_process_are_refused
    jobs_of_a_stopped_process_run_elsewhere_and_count_once
    an_hour_between_two_clocks_moves_no_lease_and_no_job
}

/// It stops with results in its hands, which it sends once it is continued.
async fn late_results_of_a_stopped_process_are_refused(site: Site) {
    let gate = site.path("gate");
    site.push((0..2).map(|n| job("Fast", [n]))).await;
    let stopped = site
        .worker()
        .lease(LEASE)
        .arguments(&["-c", "2"])
        .dies_at("BeforeCommit", 1)
        .variable("CRASH_SIGNAL", "HOLD")
        .variable("CRASH_GATE", gate.to_str().unwrap())
        .start();
    site.until_reported(1, |what| *what == What::Killed).await;
    site.suspend(&stopped);
    let other = site.worker().lease(LEASE).start();
    site.until_idle().await;
    let before = site.stats().await;
    assert_eq!((before.processed, before.failed, before.dead), (2, 0, 0));

    std::fs::write(&gate, "").unwrap();
    stopped.send(Signal::CONT);
    stopped.until_logged("a late result was refused").await;
    stopped.until_logged("going on as a new owner").await;
    let after = site.stats().await;
    assert!(after.is_idle(), "{after:?}");
    let counts = (after.processed, after.failed, after.dead);
    assert_eq!(counts, (2, 0, 0), "late results changed something");

    // It works on.
    other.stop().await;
    site.push([job("Fast", [2])]).await;
    site.until_idle().await;
    let by = site.ledger().starts().remove(&2).unwrap();
    assert_eq!(by, [stopped.id]);
    assert_eq!(site.stats().await.processed, 3);
    site.until("only its new owner is left", || async {
        let owners = site.client.store().owners().await.unwrap();
        (owners.len() == 1).then_some(())
    })
    .await;
    stopped.stop().await;
    site.check_integrity().await;
}

/// It stops amid its jobs.
async fn jobs_of_a_stopped_process_run_elsewhere_and_count_once(site: Site) {
    let gate = site.path("gate");
    site.push((0..4).map(|n| job("Waits", json!([n, gate]))))
        .await;
    let is_start = |what: &What| matches!(what, What::Start(..));
    let stopped = site.worker().lease(LEASE).start();
    site.until_reported(4, is_start).await;
    site.suspend(&stopped);
    let other = site.worker().lease(LEASE).start();
    let ledger = site.until_reported(8, is_start).await;
    for (n, by) in ledger.starts() {
        assert_eq!(by, [stopped.id, other.id], "job {n}");
    }
    std::fs::write(&gate, "").unwrap();
    site.until_idle().await;
    stopped.send(Signal::CONT);
    stopped.until_logged("going on as a new owner").await;

    site.push((4..8).map(|n| job("Fast", [n]))).await;
    let stats = site.until_idle().await;
    assert_eq!((stats.processed, stats.failed, stats.dead), (8, 0, 0));
    other.stop().await;
    site.push([job("Fast", [8])]).await;
    site.until_idle().await;
    assert_eq!(site.ledger().starts()[&8], [stopped.id]);
    stopped.stop().await;
    site.check_integrity().await;
}

async fn an_hour_between_two_clocks_moves_no_lease_and_no_job(site: Site) {
    let gate = site.path("gate");
    site.push((0..4).map(|n| job("Waits", json!([n, gate]))))
        .await;
    site.push([job_in(Duration::from_secs(1_800), "Fast", [4])])
        .await;
    let worker = || site.worker().lease(LEASE).arguments(&["-c", "2"]);
    let hour_ahead = worker().under(&["faketime", "-f", "+1h"]).start();
    let right = worker().start();
    let ledger = site
        .until_reported(4, |what| matches!(what, What::Start(..)))
        .await;
    let workers: std::collections::BTreeSet<_> = ledger.starts().into_values().flatten().collect();
    assert_eq!(workers.len(), 2, "each runs two");

    // Five leases.
    let from = ledger.0.len();
    site.until("both have renewed their leases", || async {
        let ledger = site.ledger();
        let beats = |worker: u32| {
            let beat = |what: &What| matches!(what, What::Beat(_));
            let later = ledger.0[from..].iter();
            later
                .filter(|event| event.process == worker && beat(&event.what))
                .count()
        };
        workers
            .iter()
            .all(|&worker| beats(worker) >= 30)
            .then_some(())
    })
    .await;
    assert!(site.ledger().starts().values().all(|by| by.len() == 1));
    // The host's clock is the store's where that is a file.
    if site.redis.is_some() {
        assert_eq!(site.stats().await.scheduled, 1, "promoted too early");
    }
    for process in [&hour_ahead, &right] {
        assert!(
            !process.log().contains("taken for dead"),
            "{}",
            process.log()
        );
    }

    // And it is noticed as ever when it dies.
    // `faketime` waits for the worker that it has started.
    let children = format!("/proc/{0}/task/{0}/children", hour_ahead.pid);
    let children = std::fs::read_to_string(children).unwrap();
    send(children.trim().parse().unwrap(), Signal::KILL);
    right.until_logged("recovered 2 jobs").await;
    std::fs::write(&gate, "").unwrap();
    site.until("all but the scheduled one have ended", || async {
        (site.ledger().ended().range(..4).count() == 4).then_some(())
    })
    .await;
    right.stop().await;
}
