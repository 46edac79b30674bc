use tokio::time::timeout;

use super::*;
use crate::store::{Inspect, Interest};

/// Longer than any wake-up takes, shorter than [`SLEEP`].
const PATIENCE: Duration = Duration::from_secs(20);
const SLEEP: Duration = Duration::from_secs(60);

/// A worker that has found its queue empty, and seen all changes until then.
async fn idle(worker: &Worker, interest: &Interest) {
    loop {
        // While the connection is made again, calls fail.
        if let Ok(Claim::Taken { jobs, .. }) = worker.store.claim(&worker.request(&["q"], 1)).await
        {
            assert!(jobs.is_empty(), "{jobs:?}");
            break;
        }
        tokio::task::yield_now().await;
    }
    worker.store.wait(interest, Duration::ZERO).await.unwrap();
}

async fn wakes(worker: &Worker, interest: &Interest) {
    timeout(PATIENCE, worker.store.wait(interest, SLEEP))
        .await
        .expect("it is not slept past")
        .unwrap();
}

#[tokio::test]
async fn a_push_by_one_who_knows_only_lpush_wakes() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    let interest = Interest::queues();
    for _ in 0..3 {
        idle(&worker, &interest).await;
        server.run(&["LPUSH", "queue:q", "one"]);
        wakes(&worker, &interest).await;
        assert_eq!(worker.claim(&["q"], 1).await.len(), 1);
    }
}

#[tokio::test]
async fn an_entry_by_another_client_wakes_the_timer() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    let interest = Interest::timed();
    for set in TimedSet::ALL {
        worker.store.wait(&interest, Duration::ZERO).await.unwrap();
        let due = worker
            .store
            .due(set, Timestamp::from_micros(5_000_000), 9)
            .await;
        assert!(due.unwrap().entries.is_empty());
        server.run(&["ZADD", set.name(), "1.5", "one"]);
        wakes(&worker, &interest).await;
        let due = worker
            .store
            .due(set, Timestamp::from_micros(5_000_000), 9)
            .await;
        assert_eq!(due.unwrap().entries.len(), 1);
    }
}

#[tokio::test]
async fn a_push_wakes_after_the_connection_was_lost() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    let interest = Interest::queues();
    for _ in 0..2 {
        idle(&worker, &interest).await;
        server.run(&["CLIENT", "KILL", "TYPE", "normal"]);
        // What was pushed meanwhile was not seen.
        wakes(&worker, &interest).await;
        idle(&worker, &interest).await;
        server.run(&["LPUSH", "queue:q", "one"]);
        wakes(&worker, &interest).await;
        assert_eq!(worker.claim(&["q"], 1).await.len(), 1);
    }
}

#[tokio::test]
async fn after_a_flush_a_push_and_a_signal_are_found_by_the_next_look_and_wake_from_then_on() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    let (queues, lists) = (Interest::queues(), Interest::lists());
    let signals: crate::store::Key = "vm:1:a-signals".into();
    let list = async || worker.store.list(&signals).await.unwrap();
    idle(&worker, &queues).await;
    assert!(list().await.is_empty());
    worker.store.wait(&lists, Duration::ZERO).await.unwrap();
    server.run(&["FLUSHALL"]);
    server.run(&["LPUSH", "queue:q", "one"]);
    server.run(&["LPUSH", &signals, "TSTP"]);
    // Nobody tells of them: the slow poll of who waits ends the wait.
    for interest in [&queues, &lists] {
        let poll = Duration::from_millis(5);
        worker.store.wait(interest, poll).await.unwrap();
    }
    // The owner is forgotten as well, and registers anew.
    let renewed = worker
        .store
        .renew(&worker.owner, LEASE, Registration::First)
        .await;
    assert_eq!(renewed.unwrap().standing, crate::store::Standing::New);
    assert_eq!(worker.claim(&["q"], 1).await.len(), 1);
    assert_eq!(list().await, ["TSTP"]);

    idle(&worker, &queues).await;
    worker.store.wait(&lists, Duration::ZERO).await.unwrap();
    server.run(&["LPUSH", "queue:q", "two"]);
    wakes(&worker, &queues).await;
    server.run(&["LPUSH", &signals, "TERM"]);
    wakes(&worker, &lists).await;
    assert_eq!(list().await, ["TSTP", "TERM"]);
}

#[tokio::test]
async fn who_waits_asks_nothing() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    let interest = Interest::queues();
    idle(&worker, &interest).await;
    let before = commands(&server);
    worker
        .store
        .wait(&interest, Duration::from_millis(200))
        .await
        .unwrap();
    // The look itself: INFO and QUIT.
    assert_eq!(commands(&server) - before, 2);
}

fn commands(server: &Server) -> u64 {
    number_in(&server.run(&["INFO", "stats"]), "total_commands_processed:")
}

fn number_in(info: &str, name: &str) -> u64 {
    let line = info.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_store_that_is_dropped_lets_its_connection_go() {
    let server = Server::start();
    let worker = Worker::new(&server).await;
    // The look is a client itself.
    let clients = || number_in(&server.run(&["INFO", "clients"]), "connected_clients:");
    assert_eq!(clients(), 2);
    drop(worker);
    timeout(PATIENCE, async {
        while clients() != 1 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the connection is closed");
}
