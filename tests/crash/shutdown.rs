//! Stops at bad moments, and jobs that do not want to end.

use std::time::Duration;

use rustix::process::Signal;

use crate::ledger::What;
use crate::report::{row, seconds};
use crate::site::{Site, job};

/// What is promised beyond the time for running jobs.
const PROMISED: Duration = Duration::from_secs(3);

const LEASE: Option<Duration> = Some(Duration::from_millis(500));

on_both_stores! {
    a_stop_ends_at_every_point_and_hands_everything_back
    no_job_holds_a_process
}

/// SIGTERM comes at each point of the engine's, then a second time.
async fn a_stop_ends_at_every_point_and_hands_everything_back(site: Site) {
    const POINTS: [&str; 6] = [
        "Claimed",
        "InJob",
        "BeforeCommit",
        "AfterCommit",
        "Stopping",
        "Heartbeat",
    ];
    let mut next = 0;
    for point in POINTS {
        site.push((next..next + 40).map(|n| job("Takes", [n, n % 30])))
            .await;
        next += 40;
        let mut worker = site
            .worker()
            .lease(LEASE)
            .arguments(&["-t", "0", "-c", "4"])
            .dies_at(point, 2)
            .variable("CRASH_SIGNAL", "TERM")
            .start();
        if point == "Stopping" {
            site.until("it runs jobs", || async {
                let starts = site.ledger().starts();
                starts
                    .values()
                    .flatten()
                    .any(|&by| by == worker.id)
                    .then_some(())
            })
            .await;
            worker.send(Signal::TERM);
        }
        let status = match worker.ends_within(PROMISED + Duration::from_secs(1)).await {
            Some(status) => status,
            // Hundreds of beats fit, so what hangs is the stop.
            None => panic!(
                "it does not end after SIGTERM at {point}:\n{}",
                worker.log()
            ),
        };
        assert!(status.success(), "{status} at {point}:\n{}", worker.log());
        assert_eq!(
            site.stats().await.claimed,
            0,
            "held after SIGTERM at {point}"
        );
    }
    let last = site.worker().lease(LEASE).start();
    let stats = site.until_idle().await;
    last.stop().await;
    let ledger = site.ledger();
    assert_eq!((stats.processed, stats.failed, stats.dead), (next, 0, 0));
    assert_eq!(ledger.ended().len() as u64, next);
    assert_eq!(
        ledger.count(|what| matches!(what, What::Start(_, 1..))),
        0,
        "counted as recovered"
    );
    site.check_integrity().await;
}

/// Each is stopped amid a job that does not care, by SIGTERM and another SIGTERM.
async fn no_job_holds_a_process(site: Site) {
    // Fails by itself, the others go back to their queue.
    const FAILING: &str = "SpawnsAndPanics";
    const CLASSES: [&str; 4] = [
        "IgnoresCancellation",
        "NeverReturns",
        "HoldsItsThread",
        FAILING,
    ];
    for (n, class) in (0..).zip(CLASSES) {
        let queue = class.to_lowercase();
        let mut stubborn = job(class, [n]);
        stubborn.queue = queue.as_str().into();
        site.push([stubborn]).await;
        let mut worker = site.worker().arguments(&["-t", "1", "-q", &queue]).start();
        site.until_reported(n + 1, |what| matches!(what, What::Start(..)))
            .await;
        worker.send(Signal::TERM);
        let begun = std::time::Instant::now();
        worker.send(Signal::TERM);
        let promised = Duration::from_secs(1) + PROMISED;
        let status = match worker.ends_within(promised).await {
            Some(status) => status,
            None => panic!("{class} holds the process:\n{}", worker.log()),
        };
        row(&["shutdown".into(), class.into(), seconds(begun.elapsed())]);
        assert!(status.success(), "{status}:\n{}", worker.log());
        let stats = site.stats().await;
        assert_eq!(stats.claimed, 0, "{class} is still held");
        let back = if class == FAILING {
            stats.retries
        } else {
            stats.enqueued
        };
        assert!(back > 0, "{class} is gone: {stats:?}");
    }
    assert_eq!(site.stats().await.failed, 1);
}
