//! Rolling restarts under load.
//!
//! `CRASH_DEPLOYS` says how many rounds; from ten on, jobs take up to 40 s.

use std::collections::BTreeMap;

use serde_json::json;

use crate::ledger::{Event, What, now};
use crate::report::{row, setting};
use crate::site::{Process, Site, job};

const PROCESSES: usize = 3;
const CONCURRENCY: usize = 10;
const TIMEOUT: &str = "2";

on_both_stores! {
    a_rolling_restart_costs_nothing
}

async fn a_rolling_restart_costs_nothing(site: Site) {
    let rounds = setting("CRASH_DEPLOYS", 1);
    let longest = if rounds < 10 { 4_000 } else { 40_000 };
    let start = || {
        let concurrency = CONCURRENCY.to_string();
        site.worker()
            .arguments(&["-t", TIMEOUT, "-c", &concurrency])
            .start()
    };
    let mut next = 0;
    let mut push = async |count: u64| {
        // A third is fast, a third leaves off when it is asked to, a third is as long as it is.
        let jobs = (next..next + count).map(|n| match n % 3 {
            0 => job("Takes", [n, fastrand::u64(0..100)]),
            1 => job("LeavesOff", json!([n, fastrand::u64(0..longest)])),
            _ => job("Takes", [n, fastrand::u64(0..longest)]),
        });
        site.push(jobs).await;
        next += count;
    };
    push(60).await;
    let mut processes: Vec<Process> = (0..PROCESSES).map(|_| start()).collect();
    let mut stops = Vec::new();
    for _ in 0..rounds {
        for process in &mut processes {
            push(4).await;
            let old = std::mem::replace(process, start());
            let id = old.id;
            site.until("the old one has worked", || async {
                let ledger = site.ledger();
                ledger
                    .0
                    .iter()
                    .any(|event| event.process == id)
                    .then_some(())
            })
            .await;
            old.stop().await;
            stops.push((id, now()));
        }
    }
    let stats = site.until_idle().await;
    for process in processes {
        process.stop().await;
    }

    let ledger = site.ledger();
    let ended = ledger.ended();
    let lost = (0..next).filter(|n| !ended.contains(n)).count();
    let interrupted: usize = ledger.starts().values().map(|by| by.len() - 1).sum();
    row(&[
        "deploys".into(),
        rounds.to_string(),
        next.to_string(),
        lost.to_string(),
        interrupted.to_string(),
        stats.failed.to_string(),
    ]);
    assert_eq!(lost, 0);
    assert_eq!((stats.processed, stats.failed, stats.dead), (next, 0, 0));
    let recovered = |what: &What| matches!(what, What::Start(_, 1..));
    assert_eq!(
        ledger.count(recovered),
        0,
        "an interruption was counted as a recovery"
    );
    for (process, at) in stops {
        handed_back_ran_first(&ledger.0, process, at);
    }
    site.check_integrity().await;
}

/// Between the end of a process and the next start of what it handed back, nothing new begins, but what the others had in
/// their hands already.
fn handed_back_ran_first(events: &[Event], process: u32, at: u64) {
    let mut begun: BTreeMap<u64, Vec<&Event>> = BTreeMap::new();
    for event in events {
        if let What::Start(n, _) = event.what {
            begun.entry(n).or_default().push(event);
        }
    }
    let last_again = begun
        .values()
        .filter_map(|starts| {
            let last_here = starts.iter().rposition(|event| event.process == process)?;
            starts.get(last_here + 1).map(|event| event.at)
        })
        .max();
    let Some(last_again) = last_again else {
        return;
    };
    let new = begun
        .values()
        .filter(|starts| (at..last_again).contains(&starts[0].at))
        .count();
    assert!(
        new <= PROCESSES * CONCURRENCY,
        "{new} new jobs began before what was handed back"
    );
}
