//! Several processes on one store, whose calls are lost before they arrive, applied with their answer lost, or applied up
//! to three leases later, and which stall and crash. In the end those that live settle everything they can find.
//!
//! A job is *lost* when its push was acknowledged and nobody settled it, *settled twice* when two transactions ended it.
//! Neither may happen. The order of everything follows from the seed, which a failure names.
//!
//! `SANCHO_ADVERSARY_JOBS` sets the number of jobs for each store, `SANCHO_ADVERSARY_SEED` the first seed.

use std::collections::HashSet;
use std::env;
use std::time::Duration;

use sancho::store::{PlaceName, TimedSet};
use sancho_tests::{Clock, Fixture, Kind};

use self::ledger::{Settled, Verdict};
use self::network::Network;
use self::process::{DONE, Process, QUEUES};

mod ledger;
mod network;
mod process;

const JOBS: usize = 10_000;
const JOBS_PER_SEED: usize = 1_000;
const PROCESSES: usize = 5;

#[tokio::test]
async fn redis_loses_nothing_and_settles_nothing_twice() {
    attack(Kind::Redis).await;
}

#[tokio::test]
async fn sqlite_loses_nothing_and_settles_nothing_twice() {
    attack(Kind::Sqlite).await;
}

#[tokio::test]
async fn memory_loses_nothing_and_settles_nothing_twice() {
    attack(Kind::Memory).await;
}

/// Runs seed after seed, each on an empty store, until enough jobs were pushed.
async fn attack(kind: Kind) {
    let number = |name| {
        env::var(name)
            .ok()
            .map(|value| value.parse::<usize>().expect(name))
    };
    let jobs = number("SANCHO_ADVERSARY_JOBS").unwrap_or(JOBS);
    let first = number("SANCHO_ADVERSARY_SEED").unwrap_or(1);
    let mut sum = Verdict::default();
    for seed in first.. {
        if sum.acknowledged >= jobs {
            break;
        }
        let verdict = attack_with_seed(kind, seed as u64).await;
        assert!(
            verdict.lost.is_empty() && verdict.settled_twice.is_empty(),
            "{kind:?}, seed {seed}: {verdict:#?}"
        );
        sum.add(verdict);
    }
    assert!(
        sum.zombies > 0 && sum.lost_answers > 0 && sum.crashes > 0,
        "nothing was attacked"
    );
    println!("{kind:?}: {sum:?}");
}

async fn attack_with_seed(kind: Kind, seed: u64) -> Verdict {
    let clock = Clock::new();
    let store = Fixture::with_clock(kind, clock.clone()).await;
    let mut network = Network::new(seed, clock);
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        processes.push(Process::new(store.another_handle().await, &mut network));
    }

    while network.ledger.pushed() < JOBS_PER_SEED {
        let pause = network.rng.u64(1..300);
        network.pass(Duration::from_millis(pause)).await;
        let process = network.rng.usize(0..PROCESSES);
        processes[process].step(&mut network).await;
    }

    // Calls arrive now, but those that are on their way still come late. Who lives goes on until nobody has anything left
    // to do; what is claimed and known to nobody stays, and is found below.
    network.is_faulty = false;
    let mut idle = 0;
    for round in 0.. {
        assert!(
            round < 20_000,
            "{kind:?}, seed {seed}: the processes never come to rest"
        );
        network.pass(Duration::from_millis(300)).await;
        for process in &mut processes {
            process.step(&mut network).await;
        }
        let rests = processes.iter().all(Process::rests) && !network.has_late_calls();
        idle = if rests && is_drained(&store).await {
            idle + 1
        } else {
            0
        };
        // Longer than a lease, so that every owner that is gone was named and taken over.
        if idle > 60 {
            break;
        }
    }
    let verdict = network.into_verdict();
    compare_with_places(&store, &verdict).await;
    verdict
}

/// Whether nothing waits anywhere. What is claimed does not count: its owner may never know of it.
async fn is_drained(store: &Fixture) -> bool {
    let census = store.census().await.expect("the store answers");
    let waiting = |name: &str| QUEUES.contains(&name);
    census.schedule == 0
        && census.retry == 0
        && census
            .queues
            .iter()
            .all(|queue| queue.size == 0 || !waiting(&queue.name))
}

/// The places where settled jobs stand must agree with what the ledger was told.
async fn compare_with_places(store: &Fixture, verdict: &Verdict) {
    let dead = store
        .timed(TimedSet::Dead)
        .await
        .into_iter()
        .map(|(_, payload)| payload);
    let done = store.entries(&PlaceName::Queue(DONE.into())).await;
    let done = done.into_iter().map(|entry| entry.payload);
    for (way, found) in [
        (Settled::Buried, dead.collect::<Vec<_>>()),
        (Settled::WithResult, done.collect()),
    ] {
        let found: Vec<_> = found.iter().map(process::jid_of).collect();
        let distinct: HashSet<_> = found.iter().copied().collect();
        assert_eq!(
            distinct.len(),
            found.len(),
            "a job stands twice where it was settled"
        );
        assert_eq!(distinct, verdict.settled_as(way), "{way:?}");
    }
}
