//! A worker dies while it makes ticks of the cron.

use std::collections::BTreeSet;
use std::time::Duration;

use sancho::api::Api;
use sancho::cron::{CatchUp, CronEntry};
use sancho::job::Timestamp;
use tokio::task::JoinSet;

use super::{CONCURRENCY, PROMISED_RECOVERY, is_asked_for, kills, lease};
use crate::ledger::{Ledger, What};
use crate::report::{row, seconds};
use crate::site::{Kind, Process, Setup, Site, was_killed};

const CELL: &str = "Ticking";

/// How long a tick may have been missed to be made up for: longer than nobody is there to make it.
const GRACE: Duration = Duration::from_secs(3_600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tick_is_made_once_wherever_its_maker_is_killed() {
    if is_asked_for(CELL) {
        let mut cells = JoinSet::new();
        cells.spawn(run(Kind::Redis));
        cells.spawn(run(Kind::Sqlite));
        cells.join_all().await;
    }
}

async fn run(kind: Kind) {
    let site = Site::new(kind).await;
    let cron = Api::new(&site.client).cron();
    let entry = CronEntry::new("each", "* * * * * *", "Ticked").unwrap();
    let entry = entry.catch_up(CatchUp::All(1_000)).within(GRACE);
    cron.add(entry).await.unwrap();
    let worker = || -> Setup<'_> {
        let concurrency = CONCURRENCY.to_string();
        site.worker()
            .patient()
            .lease(lease())
            .arguments(&["-c", &concurrency])
    };
    let survivor = worker().start();
    let mut recoveries = Vec::new();
    for _ in 0..kills() {
        // Before, after, or amid the commit of a tick, or of one that the survivor has made.
        let arrival = fastrand::u32(0..3);
        let mut victim: Process = match fastrand::bool() {
            true => worker().dies_at(CELL, arrival + 1).start(),
            false => worker().dies_at("MidTick", 2 * arrival + 1).start(),
        };
        let status = victim.ended().await;
        assert!(was_killed(status), "{status}:\n{}", victim.log());
        site.check_integrity().await;
        let killed = site.ledger().killed(victim.id).expect("it said when");
        let next = |ledger: &Ledger| {
            let later = ledger
                .0
                .iter()
                .find(|event| event.at > killed && matches!(event.what, What::Tick(_)));
            later.map(|event| Duration::from_micros(event.at - killed))
        };
        let next = site.until("the next tick comes", || async { next(&site.ledger()) });
        recoveries.push(next.await);
    }
    let last_kill = Timestamp::from_wall_clock();
    let status = || async { cron.get("each").await.ok()? };
    site.until("a tick of later is made", || async {
        status()
            .await
            .filter(|status| status.last_tick > Some(last_kill))
    })
    .await;
    cron.disable("each").await.unwrap();
    site.until_idle().await;
    survivor.stop().await;

    let status = status().await.unwrap();
    let second = |time: Timestamp| time.as_micros().div_euclid(1_000_000);
    let wanted = second(status.last_tick.unwrap()) - second(status.since);
    let wanted = u64::try_from(wanted).unwrap();
    let ledger = site.ledger();
    let mut ran = BTreeSet::new();
    let mut runs = 0;
    for event in &ledger.0 {
        if let What::Tick(jid) = &event.what {
            runs += 1;
            ran.insert(jid.clone());
        }
    }
    let pushed = ran.len() as u64;
    let again = runs - ran.len();
    let evicted = site.logs().matches("was taken for dead").count();
    let in_flight = (kills() + evicted) * usize::try_from(CONCURRENCY).unwrap();
    recoveries.sort();
    let (median, slowest) = (
        recoveries[recoveries.len() / 2],
        *recoveries.last().unwrap(),
    );
    row(&[
        CELL.into(),
        format!("{kind:?}"),
        kills().to_string(),
        wanted.to_string(),
        wanted.saturating_sub(pushed).to_string(),
        again.to_string(),
        in_flight.to_string(),
        seconds(median),
        seconds(slowest),
    ]);
    assert_eq!(
        (pushed, status.ticks),
        (wanted, wanted),
        "{kind:?}: each tick once, and none lost"
    );
    assert!(again <= in_flight, "{kind:?}: {again} run again");
    assert!(slowest <= PROMISED_RECOVERY, "{kind:?}: {slowest:?}");
    let stats = site.stats().await;
    assert_eq!((stats.processed, stats.failed, stats.dead), (wanted, 0, 0));
}
