//! The kill matrix: a worker dies at each named point, on each store, again and again.
//!
//! `CRASH_KILLS` says how often in each cell, `CRASH_LEASE_MS` with which lease (0: the default), `CRASH_CELL` in which one.

mod cursors;
mod ticks;

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::process::Signal;
use tokio::task::JoinSet;

use crate::ledger::{Ledger, What};
use crate::report::{row, seconds, setting};
use crate::site::{Kind, Process, Setup, Site, job, job_in, was_killed};

/// How many jobs a worker runs at once; as many are in flight when it dies.
const CONCURRENCY: u64 = 4;

/// How many jobs are pushed at once, until the victim has died.
const WAVE: u64 = 12;

/// How long a wave is left to the workers before the next one.
const BETWEEN_WAVES: Duration = Duration::from_millis(40);

/// What is promised for the default lease.
const PROMISED_RECOVERY: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Claimed,
    InJob,
    BeforeCommit,
    MidCommit,
    AfterCommit,
    Promoting,
    TakingOver,
    Stopping,
    Heartbeat,
    BulkPush,
}

const CELLS: [Cell; 10] = [
    Cell::Claimed,
    Cell::InJob,
    Cell::BeforeCommit,
    Cell::MidCommit,
    Cell::AfterCommit,
    Cell::Promoting,
    Cell::TakingOver,
    Cell::Stopping,
    Cell::Heartbeat,
    Cell::BulkPush,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_wherever_a_worker_is_killed() {
    let (lease, kills) = (lease(), kills());
    let mut cells = JoinSet::new();
    for cell in CELLS {
        if !is_asked_for(&format!("{cell:?}")) {
            continue;
        }
        for kind in [Kind::Redis, Kind::Sqlite] {
            cells.spawn(async move { Run::new(cell, kind, lease).await.run(kills).await });
        }
    }
    cells.join_all().await;
}

/// How often a worker is killed in each cell.
fn kills() -> usize {
    usize::try_from(setting("CRASH_KILLS", 2)).unwrap()
}

/// None: the default.
fn lease() -> Option<Duration> {
    match setting("CRASH_LEASE_MS", 500) {
        0 => None,
        millis => Some(Duration::from_millis(millis)),
    }
}

fn is_asked_for(cell: &str) -> bool {
    std::env::var("CRASH_CELL").map_or(true, |only| only == cell)
}

/// One cell.
struct Run {
    cell: Cell,
    kind: Kind,
    site: Site,
    lease: Option<Duration>,
    /// The number of the next job.
    next: u64,
    /// Those that killed themselves.
    dead: BTreeSet<u32>,
    kills: usize,
    recoveries: Vec<Duration>,
}

impl Run {
    async fn new(cell: Cell, kind: Kind, lease: Option<Duration>) -> Self {
        Self {
            cell,
            kind,
            site: Site::new(kind).await,
            lease,
            next: 0,
            dead: BTreeSet::new(),
            kills: 0,
            recoveries: Vec::new(),
        }
    }

    async fn run(mut self, kills: usize) {
        // The others' survivor lives through all kills. A takeover that is cut off wants one that was not there.
        let survivor = (self.cell != Cell::TakingOver).then(|| self.worker().start());
        while self.kills < kills {
            let killed = match self.cell {
                Cell::TakingOver => self.kill_rescuer().await,
                Cell::Stopping => self.kill_amid_stop().await,
                Cell::BulkPush => self.kill_pusher().await,
                _ => self.kill_worker().await,
            };
            let late = (self.cell == Cell::TakingOver).then(|| self.worker().start());
            self.site.until_idle().await;
            if let Some(killed) = killed {
                self.kills += 1;
                let at = self.site.ledger().killed(killed).expect("it said when");
                self.recoveries.push(self.site.ledger().recovery(at));
            }
            if let Some(late) = late {
                late.stop().await;
            }
        }
        if let Some(survivor) = survivor {
            survivor.stop().await;
        }
        self.judge().await;
    }

    fn worker(&self) -> Setup<'_> {
        self.site
            .worker()
            .patient()
            .lease(self.lease)
            .arguments(&["-c", &CONCURRENCY.to_string()])
    }

    fn victim(&self, arrivals: u32) -> Setup<'_> {
        let point = format!("{:?}", self.cell);
        self.worker().dies_at(&point, fastrand::u32(1..=arrivals))
    }

    async fn kill_worker(&mut self) -> Option<u32> {
        let mut victim = self.victim(6).start();
        self.push_until_dead(&mut victim).await;
        Some(victim.id)
    }

    async fn kill_rescuer(&mut self) -> Option<u32> {
        let mut first = self.worker().dies_at("InJob", fastrand::u32(1..=6)).start();
        self.push_until_dead(&mut first).await;
        // Taken: before, between and after the two steps of a takeover.
        let mut rescuer = self.victim(3).start();
        self.end_by_itself(&mut rescuer).await;
        Some(rescuer.id)
    }

    async fn kill_amid_stop(&mut self) -> Option<u32> {
        let mut victim = self.victim(4).arguments(&["-t", "0"]).start();
        let id = victim.id;
        loop {
            self.push_wave().await;
            let began = |ledger: &Ledger| ledger.0.iter().any(|event| event.process == id);
            if began(&self.site.ledger()) {
                break;
            }
            tokio::time::sleep(BETWEEN_WAVES).await;
        }
        victim.send(Signal::TERM);
        let status = victim.ended().await;
        self.site.check_integrity().await;
        if was_killed(status) {
            self.dead.insert(id);
            return Some(id);
        }
        // Nothing ran any more, so that there was one step less.
        assert!(status.success(), "{status}:\n{}", victim.log());
        None
    }

    async fn kill_pusher(&mut self) -> Option<u32> {
        let mut pusher = self.victim(6).pushes(self.next).start();
        self.end_by_itself(&mut pusher).await;
        let last = self
            .site
            .ledger()
            .0
            .into_iter()
            .filter_map(|event| match event.what {
                What::Push(first) => Some(first),
                _ => None,
            });
        self.next = last.max().expect("it began a push") + 50;
        Some(pusher.id)
    }

    async fn push_until_dead(&mut self, victim: &mut Process) {
        let status = loop {
            self.push_wave().await;
            if let Some(status) = victim.ends_within(BETWEEN_WAVES).await {
                break status;
            }
            assert!(self.next < 1_000_000, "it does not die:\n{}", victim.log());
        };
        self.note_end(victim, status).await;
    }

    async fn end_by_itself(&mut self, victim: &mut Process) {
        let status = victim.ended().await;
        self.note_end(victim, status).await;
    }

    async fn note_end(&mut self, victim: &Process, status: std::process::ExitStatus) {
        assert!(was_killed(status), "{status}:\n{}", victim.log());
        self.dead.insert(victim.id);
        self.site.check_integrity().await;
    }

    async fn push_wave(&mut self) {
        let numbers = self.next..self.next + WAVE;
        self.next += WAVE;
        let jobs = numbers.map(|n| match self.cell {
            Cell::Promoting => job_in(Duration::from_millis(20), "Fast", [n]),
            Cell::Stopping => job("Takes", [n, 100]),
            _ => job("Takes", [n, fastrand::u64(0..8)]),
        });
        self.site.push(jobs).await;
    }

    /// Counts, and compares with what is promised.
    async fn judge(self) {
        let Self { cell, kind, .. } = self;
        let ledger = self.site.ledger();
        let (pushed, lost) = match cell {
            Cell::BulkPush => bulks(&ledger),
            _ => {
                let ended = ledger.ended();
                (
                    self.next,
                    (0..self.next).filter(|n| !ended.contains(n)).count(),
                )
            }
        };
        let starts = ledger.starts();
        let again: usize = starts.values().map(|by| by.len() - 1).sum();
        // On a machine that is busy enough, a live process misses a lease as short as this.
        let evicted = self.site.logs().matches("was taken for dead").count();
        let in_flight = match cell {
            Cell::BulkPush => evicted * usize::try_from(CONCURRENCY).unwrap(),
            _ => (self.dead.len() + evicted) * usize::try_from(CONCURRENCY).unwrap(),
        };
        let mut recoveries = self.recoveries.clone();
        recoveries.sort();
        let (median, slowest) = (
            recoveries[recoveries.len() / 2],
            *recoveries.last().unwrap(),
        );
        row(&[
            format!("{cell:?}"),
            format!("{kind:?}"),
            self.kills.to_string(),
            pushed.to_string(),
            lost.to_string(),
            again.to_string(),
            in_flight.to_string(),
            seconds(median),
            seconds(slowest),
        ]);
        assert_eq!(
            lost,
            0,
            "{cell:?} on {kind:?}: {:?}\n{}",
            self.site.stats().await,
            self.site.logs()
        );
        assert!(
            again <= in_flight,
            "{cell:?} on {kind:?}: {again} run again"
        );
        assert!(
            self.lease.is_some() || evicted == 0,
            "a live process was taken for dead"
        );
        for (n, by) in starts.iter().filter(|_| evicted == 0) {
            let (_, before) = by.split_last().unwrap();
            let innocent = before.iter().find(|process| !self.dead.contains(process));
            assert_eq!(
                innocent, None,
                "{cell:?} on {kind:?}: job {n} was taken from a live process"
            );
        }
        assert!(
            slowest <= PROMISED_RECOVERY,
            "{cell:?} on {kind:?}: {slowest:?}"
        );
        let stats = self.site.stats().await;
        let expected = (u64::try_from(starts.len()).unwrap(), 0, 0);
        assert_eq!(
            (stats.processed, stats.failed, stats.dead),
            expected,
            "{cell:?} on {kind:?}"
        );
    }
}

/// How many jobs of bulks were acknowledged, and how many of those did not run. A bulk whose answer nobody saw ran wholly
/// or not at all.
fn bulks(ledger: &Ledger) -> (u64, usize) {
    let ended = ledger.ended();
    let mut acknowledged = BTreeSet::new();
    let mut pushed = BTreeSet::new();
    for event in &ledger.0 {
        match event.what {
            What::Push(first) => _ = pushed.insert(first),
            What::Acknowledged(first) => _ = acknowledged.insert(first),
            _ => {}
        }
    }
    let ran = |first: u64| (first..first + 50).filter(|n| ended.contains(n)).count();
    for &first in pushed.difference(&acknowledged) {
        assert!(
            [0, 50].contains(&ran(first)),
            "{} jobs of a bulk ran",
            ran(first)
        );
    }
    let lost = acknowledged.iter().map(|&first| 50 - ran(first)).sum();
    (acknowledged.len() as u64 * 50, lost)
}
