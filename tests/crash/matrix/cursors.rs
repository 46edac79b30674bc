//! A worker dies while it keeps a checkpoint.

use std::collections::BTreeSet;
use std::time::Duration;

use sancho::api::Api;
use tokio::task::JoinSet;

use super::{PROMISED_RECOVERY, is_asked_for, kills, lease};
use crate::ledger::What;
use crate::report::{row, seconds};
use crate::site::{Kind, Process, Site, job, was_killed};

const CELL: &str = "Checkpoint";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_goes_on_from_its_last_cursor_wherever_its_worker_is_killed() {
    if is_asked_for(CELL) {
        let mut cells = JoinSet::new();
        cells.spawn(run(Kind::Redis));
        cells.spawn(run(Kind::Sqlite));
        cells.join_all().await;
    }
}

async fn run(kind: Kind) {
    let site = Site::new(kind).await;
    let api = Api::new(&site.client);
    let worker = || {
        let worker = site.worker().patient().lease(lease());
        worker.arguments(&["-c", "1"])
    };
    let mut recoveries = Vec::new();
    for n in 0..kills() as u64 {
        // The first write comes after 5 s: the end before it, after it, amid it.
        let (point, nth) = [(CELL, 1), (CELL, 2), ("MidCheckpoint", 1)][fastrand::usize(0..3)];
        let mut victim = worker().dies_at(point, nth).start();
        let gate = site.path(&format!("gate {n}"));
        let gate_name = gate.to_str().unwrap();
        let pushed = site.client.push_job(job("Counts", (n, gate_name)));
        let jid = pushed.await.unwrap();
        let status = victim.ended().await;
        assert!(was_killed(status), "{status}:\n{}", victim.log());
        site.check_integrity().await;
        // Nobody is there who could write another.
        let kept = api.iteration(jid.as_str()).await.unwrap();
        let kept = kept.and_then(|kept| kept.cursor);
        let kept: Option<u64> = kept.map(|cursor| cursor.parse().unwrap());
        match (point, nth) {
            (CELL, 1) => assert_eq!(kept, None, "it was not written yet"),
            (CELL, _) => assert!(kept.is_some(), "it was written"),
            _ => {}
        }
        let rescuer: Process = worker().start();
        let began = || async {
            let events = site.ledger().0;
            let mut later = events
                .into_iter()
                .filter(|event| event.process == rescuer.id);
            later.find(|event| matches!(event.what, What::From(..)))
        };
        let began = site.until("it goes on elsewhere", began).await;
        std::fs::write(&gate, "").unwrap();
        site.until_idle().await;
        rescuer.stop().await;

        assert_eq!(began.what, What::From(n, kept), "{kind:?}, {point}:{nth}");
        let ledger = site.ledger();
        let killed = ledger.killed(victim.id).expect("it said when");
        recoveries.push(Duration::from_micros(began.at - killed));
        let (mut first, mut second) = (BTreeSet::new(), BTreeSet::new());
        for event in &ledger.0 {
            match event.what {
                What::Item(of, item) if of == n && event.process == victim.id => first.insert(item),
                What::Item(of, item) if of == n => second.insert(item),
                _ => continue,
            };
        }
        let from = kept.unwrap_or(0);
        assert!(
            second.iter().all(|item| *item >= from),
            "{kind:?}: before {from}"
        );
        let all: BTreeSet<u64> = first.union(&second).copied().collect();
        assert!(
            all.iter().copied().eq(0..all.len() as u64),
            "{kind:?}: {all:?}"
        );
    }
    recoveries.sort();
    let (median, slowest) = (
        recoveries[recoveries.len() / 2],
        *recoveries.last().unwrap(),
    );
    row(&[
        CELL.into(),
        format!("{kind:?}"),
        kills().to_string(),
        kills().to_string(),
        "0".into(),
        "0".into(),
        kills().to_string(),
        seconds(median),
        seconds(slowest),
    ]);
    assert!(slowest <= PROMISED_RECOVERY, "{kind:?}: {slowest:?}");
    let stats = site.stats().await;
    let jobs = kills() as u64;
    assert_eq!((stats.processed, stats.failed, stats.dead), (jobs, 0, 0));
}
