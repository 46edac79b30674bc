//! Jobs that end their process.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use sancho::store::{Order, PlaceName, TimedSet};

use crate::ledger::What;
use crate::report::row;
use crate::site::{Process, Site, job};

const POISON: [&str; 2] = ["Aborts", "EatsMemory"];
/// How many jobs there are with each of them, it included.
const OTHERS: u64 = 30;

on_both_stores! {
    a_job_that_ends_its_process_runs_three_times_and_is_given_up
}

async fn a_job_that_ends_its_process_runs_three_times_and_is_given_up(site: Site) {
    // A supervisor's work. One job at a time, and none of those that are claimed ahead since they are fast, so that no job is
    // in flight by chance whenever another ends its process.
    let start = || {
        let lease = Some(Duration::from_millis(500));
        let worker = site.worker().patient().lease(lease);
        worker.arguments(&["-c", "1"]).start()
    };
    let mut workers: Vec<Process> = vec![start(), start()];
    let mut first = 0;
    for class in POISON {
        let others = first + 1..first + OTHERS;
        let jobs = others.clone().map(|n| job("Takes", [n, 6 + n % 5]));
        site.push([job(class, [first])]).await;
        site.push(jobs).await;
        let (mut ends, mut late) = (0, 0);
        while site.idle().await.is_none() {
            for worker in &mut workers {
                if let Some(status) = worker.ends_within(Duration::from_millis(20)).await {
                    // The others could not reach the store within 3 s, on a machine that stood still.
                    let (ended, not_begun) = (status.signal().is_some(), status.code() == Some(2));
                    assert!(ended || not_begun, "{status}:\n{}", worker.log());
                    ends += usize::from(ended);
                    late += usize::from(not_begun);
                    *worker = start();
                }
            }
            assert!(ends <= 3, "{ends} processes ended:\n{}", site.logs());
            assert!(late <= 10, "{late} did not start:\n{}", site.logs());
        }
        let ledger = site.ledger();
        let starts = ledger.starts();
        assert_eq!(starts[&first].len(), 3, "{class} ran");
        let knows_of_two = |what: &What| *what == What::Start(first, 2);
        assert_eq!(
            ledger.count(knows_of_two),
            1,
            "the last time it knows of the others"
        );
        for n in others {
            assert_eq!(starts[&n].len(), 1, "job {n} was held up");
            assert!(ledger.ended().contains(&n), "job {n} was lost");
        }
        row(&[
            "poison".into(),
            class.into(),
            starts[&first].len().to_string(),
        ]);
        first += OTHERS;
    }
    let place = PlaceName::Timed(TimedSet::Dead);
    let page = site
        .client
        .store()
        .page(&place, Order::Forward, 0, 10)
        .await;
    let dead = page.unwrap().entries;
    assert_eq!(dead.len(), POISON.len());
    for job in dead {
        let payload = String::from_utf8(job.payload.to_vec()).unwrap();
        assert!(
            payload.contains(r#""error_class":"sancho::Lost""#),
            "{payload}"
        );
        assert!(payload.contains("died, 3 times in 72 hours"), "{payload}");
    }
    let stats = site.stats().await;
    assert_eq!((stats.processed, stats.failed), (first - 2, 0));
    for worker in workers {
        worker.stop().await;
    }
    site.check_integrity().await;
}
