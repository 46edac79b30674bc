//! Mixed load for a long time, with a kill now and then.
//!
//! `CRASH_SECONDS` says how long, `CRASH_KILL_EVERY` after how many seconds a worker is killed.

use std::fs;
use std::time::{Duration, Instant};

use sancho::job::Retry;
use tokio::time::sleep;

use crate::ledger::What;
use crate::report::{row, setting};
use crate::site::{Process, Site, job, job_in};

/// How many jobs a wave has, and after which time the next one comes.
const WAVE: u64 = 16;
const BETWEEN_WAVES: Duration = Duration::from_millis(100);

/// The number after which jobs fail for good by panicking: these end as well, and are counted apart.
const PANICKING: u64 = 15;

/// How many jobs the dead set keeps.
const MOST_DEAD: u64 = 9_999;

on_both_stores! {
    mixed_load_with_kills_adds_up
}

async fn mixed_load_with_kills_adds_up(site: Site) {
    let duration = Duration::from_secs(setting("CRASH_SECONDS", 6));
    let kill_every = Duration::from_secs(setting("CRASH_KILL_EVERY", 2));
    let start = || {
        let lease = Some(Duration::from_millis(500));
        site.worker().lease(lease).arguments(&["-c", "8"]).start()
    };
    let (steady, mut victim) = (start(), start());
    let begun = Instant::now();
    let (mut next, mut kills, mut looks) = (0, 0, Vec::new());
    while begun.elapsed() < duration {
        push_wave(&site, next).await;
        next += WAVE;
        sleep(BETWEEN_WAVES).await;
        if begun.elapsed() > kill_every * (kills + 1) {
            looks.push(Look::at(&steady));
            victim.kill().await;
            victim = start();
            kills += 1;
        }
    }
    let stats = site.until_idle().await;
    looks.push(Look::at(&steady));
    victim.stop().await;
    steady_is_flat(&looks, duration);

    let ledger = site.ledger();
    let ended = ledger.ended();
    let lost = (0..next).filter(|n| !ended.contains(n)).count();
    let starts = ledger.starts();
    // A job that fails once starts twice by itself.
    let again: usize = starts
        .iter()
        .map(|(n, by)| by.len() - 1 - usize::from(n % WAVE == FAILING_ONCE))
        .sum();
    let tasks: Vec<_> = ledger
        .0
        .iter()
        .filter(|event| event.process == steady.id)
        .filter_map(|event| match event.what {
            What::Beat(tasks) => Some(tasks),
            _ => None,
        })
        .collect();
    let (first, last) = (looks[0], looks[looks.len() - 1]);
    row(&[
        "long run".into(),
        format!("{duration:?}"),
        next.to_string(),
        kills.to_string(),
        lost.to_string(),
        again.to_string(),
        format!("{} to {} KiB", first.memory, last.memory),
        format!("{} to {} files", first.files, last.files),
        format!("{} to {} threads", first.threads, last.threads),
        format!("{} tasks at the end", tasks[tasks.len() - 1]),
    ]);
    assert_eq!(lost, 0);
    assert!(
        again <= 8 * usize::try_from(kills).unwrap(),
        "{again} ran again"
    );
    let (waves, panicked) = (next / WAVE, next / WAVE);
    assert_eq!(stats.dead, panicked.min(MOST_DEAD));
    // One that fails once is processed twice.
    assert_eq!(
        (stats.processed, stats.failed),
        (next + waves, waves + panicked)
    );
    assert!(
        tasks[tasks.len() - 1] <= tasks[0].max(12),
        "tasks were left over"
    );
    steady.stop().await;
    site.check_integrity().await;
}

const FAILING_ONCE: u64 = 14;

async fn push_wave(site: &Site, first: u64) {
    let jobs = (0..WAVE).map(|k| {
        let n = first + k;
        match k {
            PANICKING => {
                let mut job = job("Panics", [n]);
                job.retry = Retry::Times(0);
                job
            }
            FAILING_ONCE => job("FailsOnce", [n]),
            10..14 => job_in(Duration::from_millis(50 * k), "Fast", [n]),
            5..10 => job("Takes", [n, fastrand::u64(0..100)]),
            _ => job("Fast", [n]),
        }
    });
    site.insist_on(jobs).await;
}

/// What a process has.
#[derive(Clone, Copy, Debug)]
struct Look {
    /// In KiB.
    memory: u64,
    threads: u64,
    files: u64,
}

impl Look {
    fn at(process: &Process) -> Self {
        let status = fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap();
        let field = |name: &str| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        let files = fs::read_dir(format!("/proc/{}/fd", process.pid)).unwrap();
        Self {
            memory: field("VmRSS:"),
            threads: field("Threads:"),
            files: files.count() as u64,
        }
    }
}

/// The worker that lives all the time does not grow. The first quarter fills caches.
fn steady_is_flat(looks: &[Look], duration: Duration) {
    let (warm, last) = (looks[looks.len() / 4], looks[looks.len() - 1]);
    assert!(last.files <= warm.files + 2, "files: {looks:?}");
    assert!(last.threads <= warm.threads + 2, "threads: {looks:?}");
    if duration >= Duration::from_secs(300) {
        assert!(
            last.memory <= warm.memory * 5 / 4 + 4_096,
            "memory: {looks:?}"
        );
    }
}
