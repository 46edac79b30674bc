//! Waiting: never past work, and not busily.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sancho::store::{
    Batch, Claim, ClaimRequest, Effect, Interest, Key, Lane, Members, Owner, Store, TimedSet, Tx,
};
use sancho_tests::effects::{head, strictly, tail, timed};
use tokio::time::timeout;

use super::{Fixture, Kind};

/// A wait that ends by itself only after the test has failed.
const FOREVER: Duration = Duration::from_secs(3_600);

/// By when a wake-up that is not lost has come, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(20);

store_conformance![
    the_first_wait_returns_at_once,
    a_wait_ends_after_its_timeout,
    a_wait_sleeps_while_nothing_changes,
    a_push_wakes,
    a_push_through_another_handle_wakes,
    a_push_to_the_head_wakes,
    a_push_to_any_of_the_queues_wakes,
    a_push_between_claim_and_wait_is_not_slept_past,
    a_push_after_a_claim_that_took_less_than_it_asked_for_wakes,
    a_push_after_a_turn_that_found_nothing_wakes,
    a_put_of_a_refused_transaction_wakes,
    every_push_wakes_anew,
    resuming_a_queue_wakes,
    every_waiting_handle_wakes,
    every_interest_of_a_handle_wakes,
    a_dropped_wait_loses_nothing,
    an_entry_for_now_wakes,
    an_earlier_entry_through_another_handle_wakes,
    an_entry_between_due_and_wait_is_not_slept_past,
    an_item_wakes,
    an_item_through_another_handle_wakes,
    an_item_between_list_and_wait_is_not_slept_past,
];

/// A loop as the engine has it: claims until it gets something, and waits in between.
struct Fetcher {
    handle: Arc<dyn Store>,
    owner: Owner,
    seq: u64,
    queues: Vec<&'static str>,
    interest: Interest,
    /// Claims with a batch before it.
    takes_turns: bool,
}

impl Fetcher {
    async fn new(store: &Fixture, handle: Arc<dyn Store>, queues: &[&'static str]) -> Self {
        let (owner, queues) = (store.owner().await, queues.to_vec());
        let mut fetcher = Self {
            handle,
            owner,
            seq: 0,
            queues,
            interest: Interest::queues(),
            takes_turns: false,
        };
        fetcher.quiet().await;
        fetcher
    }

    async fn claim(&mut self) -> Vec<Bytes> {
        self.seq += 1;
        let (owner, sources) = (self.owner.clone(), strictly(&self.queues));
        let request = ClaimRequest {
            owner,
            seq: self.seq,
            sources,
            limit: 5,
        };
        let claim = if self.takes_turns {
            let lane = Lane::from_text(self.owner.as_str());
            let batch = Batch {
                lane,
                seq: self.seq,
                txs: vec![],
            };
            self.handle.turn(&batch, &request).await.unwrap().1
        } else {
            self.handle.claim(&request).await.unwrap()
        };
        match claim {
            Claim::Taken { jobs, .. } => jobs.into_iter().map(|job| job.payload).collect(),
            other => panic!("the claim came to {other:?}"),
        }
    }

    /// Claims and waits until a wait lasts: nothing is left to wake it.
    async fn quiet(&mut self) {
        for _ in 0..20 {
            self.claim().await;
            let start = Instant::now();
            let pause = Duration::from_millis(20);
            self.handle.wait(&self.interest, pause).await.unwrap();
            if start.elapsed() >= pause {
                return;
            }
        }
        panic!("the store keeps waking for nothing");
    }

    /// Waits and claims until there is a job.
    async fn next(&mut self) -> Vec<Bytes> {
        let found = timeout(PATIENCE, async {
            loop {
                self.handle.wait(&self.interest, FOREVER).await.unwrap();
                let jobs = self.claim().await;
                if !jobs.is_empty() {
                    return jobs;
                }
            }
        });
        found.await.expect("the wait slept past a job")
    }
}

async fn the_first_wait_returns_at_once(store: Fixture) {
    for interest in [Interest::queues(), Interest::timed(), Interest::lists()] {
        let wait = store.wait(&interest, FOREVER);
        timeout(PATIENCE, wait)
            .await
            .expect("the first wait returns at once")
            .unwrap();
    }
}

async fn a_wait_ends_after_its_timeout(store: Fixture) {
    for interest in [Interest::queues(), Interest::timed(), Interest::lists()] {
        for _ in 0..3 {
            let wait = store.wait(&interest, Duration::from_millis(5));
            timeout(PATIENCE, wait)
                .await
                .expect("the wait ends")
                .unwrap();
        }
        timeout(PATIENCE, store.wait(&interest, Duration::ZERO))
            .await
            .expect("the wait ends")
            .unwrap();
    }
}

async fn a_wait_sleeps_while_nothing_changes(store: Fixture) {
    let mut fetcher = Fetcher::new(&store, store.handle(), &["q"]).await;
    // `quiet` panics where no wait lasts.
    fetcher.quiet().await;
    let interest = Interest::timed();
    let pause = Duration::from_millis(20);
    for _ in 0..20 {
        store.due(TimedSet::Schedule, store.now(), 9).await.unwrap();
        let start = Instant::now();
        store.wait(&interest, pause).await.unwrap();
        if start.elapsed() >= pause {
            return;
        }
    }
    panic!("the store keeps waking for nothing");
}

async fn a_push_wakes(store: Fixture) {
    let mut fetcher = Fetcher::new(&store, store.handle(), &["q"]).await;
    let (jobs, ()) = tokio::join!(fetcher.next(), store.push("q", &["1"]));
    assert_eq!(jobs, ["1"]);
}

async fn a_push_through_another_handle_wakes(store: Fixture) {
    let mut fetcher = Fetcher::new(&store, store.another_handle().await, &["q"]).await;
    let (jobs, ()) = tokio::join!(fetcher.next(), store.push("q", &["1"]));
    assert_eq!(jobs, ["1"]);
}

async fn a_push_to_the_head_wakes(store: Fixture) {
    let mut fetcher = Fetcher::new(&store, store.another_handle().await, &["q"]).await;
    let (jobs, ()) = tokio::join!(fetcher.next(), store.apply(vec![head("q", "1")]));
    assert_eq!(jobs, ["1"]);
}

async fn a_push_to_any_of_the_queues_wakes(store: Fixture) {
    let mut fetcher = Fetcher::new(&store, store.another_handle().await, &["a", "b", "c"]).await;
    for queue in ["c", "a", "b"] {
        let (jobs, ()) = tokio::join!(fetcher.next(), store.push(queue, &["1"]));
        assert_eq!(jobs, ["1"]);
    }
}

async fn a_push_between_claim_and_wait_is_not_slept_past(store: Fixture) {
    for handle in [store.handle(), store.another_handle().await] {
        let mut fetcher = Fetcher::new(&store, handle, &["q"]).await;
        assert!(fetcher.claim().await.is_empty());
        store.push("q", &["1"]).await;
        assert_eq!(fetcher.next().await, ["1"]);
    }
}

async fn a_push_after_a_claim_that_took_less_than_it_asked_for_wakes(store: Fixture) {
    let mut fetcher = Fetcher::new(&store, store.another_handle().await, &["q"]).await;
    for _ in 0..3 {
        store.push("q", &["1", "2"]).await;
        assert_eq!(fetcher.next().await, ["1", "2"]);
        let (jobs, ()) = tokio::join!(fetcher.next(), store.push("q", &["3"]));
        assert_eq!(jobs, ["3"]);
    }
}

async fn a_push_after_a_turn_that_found_nothing_wakes(store: Fixture) {
    let mut fetcher = Fetcher::new(&store, store.another_handle().await, &["q"]).await;
    fetcher.takes_turns = true;
    fetcher.quiet().await;
    for _ in 0..3 {
        let (jobs, ()) = tokio::join!(fetcher.next(), store.push("q", &["1"]));
        assert_eq!(jobs, ["1"]);
    }
}

async fn a_put_of_a_refused_transaction_wakes(store: Fixture) {
    let mut fetcher = Fetcher::new(&store, store.another_handle().await, &["q"]).await;
    let tx = Tx {
        when: vec![sancho_tests::effects::contains(TimedSet::Dead, "x")],
        then: vec![],
        otherwise: vec![tail("q", "1")],
    };
    let (jobs, _) = tokio::join!(fetcher.next(), store.commit_one(tx));
    assert_eq!(jobs, ["1"]);
}

async fn every_push_wakes_anew(store: Fixture) {
    let mut fetcher = Fetcher::new(&store, store.another_handle().await, &["q"]).await;
    for _ in 0..30 {
        let (jobs, ()) = tokio::join!(fetcher.next(), store.push("q", &["1"]));
        assert_eq!(jobs, ["1"]);
    }
}

async fn resuming_a_queue_wakes(store: Fixture) {
    store
        .apply(vec![
            Effect::Join(Members::Paused, "q".into()),
            tail("q", "1"),
        ])
        .await;
    let mut fetcher = Fetcher::new(&store, store.another_handle().await, &["q"]).await;
    let resume = vec![Effect::Leave(Members::Paused, "q".into())];
    let (jobs, ()) = tokio::join!(fetcher.next(), store.apply(resume));
    assert_eq!(jobs, ["1"]);
}

async fn every_waiting_handle_wakes(store: Fixture) {
    let mut one = Fetcher::new(&store, store.another_handle().await, &["a"]).await;
    let mut other = Fetcher::new(&store, store.another_handle().await, &["b"]).await;
    let push = store.apply(vec![tail("a", "1"), tail("b", "2")]);
    let (first, second, ()) = tokio::join!(one.next(), other.next(), push);
    assert_eq!(
        (first, second),
        (vec![Bytes::from("1")], vec![Bytes::from("2")])
    );
}

async fn every_interest_of_a_handle_wakes(store: Fixture) {
    let handle = store.another_handle().await;
    let mut fetcher = Fetcher::new(&store, Arc::clone(&handle), &["q"]).await;
    let second = Interest::queues();
    timeout(PATIENCE, handle.wait(&second, FOREVER))
        .await
        .expect("the first wait")
        .unwrap();
    fetcher.quiet().await;
    let also = async { timeout(PATIENCE, handle.wait(&second, FOREVER)).await };
    let (jobs, woken, ()) = tokio::join!(fetcher.next(), also, store.push("q", &["1"]));
    assert_eq!(jobs, ["1"]);
    woken
        .expect("the other loop of this handle wakes too")
        .unwrap();
}

async fn a_dropped_wait_loses_nothing(store: Fixture) {
    let mut fetcher = Fetcher::new(&store, store.another_handle().await, &["q"]).await;
    {
        let mut wait = fetcher.handle.wait(&fetcher.interest, FOREVER);
        // One poll, so that it waits; then the push; then it is dropped, woken or not.
        tokio::select! {
            biased;
            _ = &mut wait => {}
            () = std::future::ready(()) => {}
        }
        store.push("q", &["1"]).await;
    }
    assert_eq!(fetcher.next().await, ["1"]);
}

/// Asks for due entries until there is one, and waits in between.
async fn next_due(store: &Fixture, handle: &dyn Store, interest: &Interest) -> Vec<Bytes> {
    let found = timeout(PATIENCE, async {
        loop {
            handle.wait(interest, FOREVER).await.unwrap();
            let due = handle
                .due(TimedSet::Schedule, store.now(), 9)
                .await
                .unwrap();
            if !due.entries.is_empty() {
                return due.entries.into_iter().map(|entry| entry.payload).collect();
            }
        }
    });
    found.await.expect("the wait slept past a due entry")
}

/// Asks for due entries and waits until a wait lasts.
async fn quiet_timer(store: &Fixture, handle: &dyn Store) -> Interest {
    let interest = Interest::timed();
    let pause = Duration::from_millis(20);
    for _ in 0..20 {
        handle
            .due(TimedSet::Schedule, store.now(), 9)
            .await
            .unwrap();
        let start = Instant::now();
        handle.wait(&interest, pause).await.unwrap();
        if start.elapsed() >= pause {
            return interest;
        }
    }
    panic!("the store keeps waking for nothing");
}

async fn an_entry_for_now_wakes(store: Fixture) {
    let handle = store.handle();
    let interest = quiet_timer(&store, &*handle).await;
    let put = store.apply(vec![timed(TimedSet::Schedule, store.now(), "1")]);
    let (due, ()) = tokio::join!(next_due(&store, &*handle, &interest), put);
    assert_eq!(due, ["1"]);
}

async fn an_earlier_entry_through_another_handle_wakes(store: Fixture) {
    let later = store.now().after(Duration::from_secs(60));
    store
        .apply(vec![timed(TimedSet::Schedule, later, "later")])
        .await;
    let handle = store.another_handle().await;
    let interest = quiet_timer(&store, &*handle).await;
    let put = store.apply(vec![timed(TimedSet::Schedule, store.now(), "1")]);
    let (due, ()) = tokio::join!(next_due(&store, &*handle, &interest), put);
    assert_eq!(due, ["1"]);
}

async fn an_entry_between_due_and_wait_is_not_slept_past(store: Fixture) {
    let handle = store.another_handle().await;
    let interest = quiet_timer(&store, &*handle).await;
    assert!(
        handle
            .due(TimedSet::Schedule, store.now(), 9)
            .await
            .unwrap()
            .entries
            .is_empty()
    );
    store
        .apply(vec![timed(TimedSet::Schedule, store.now(), "1")])
        .await;
    assert_eq!(next_due(&store, &*handle, &interest).await, ["1"]);
}

/// A process that waits for its signals, and takes them one by one.
struct Listener {
    handle: Arc<dyn Store>,
    key: Key,
    interest: Interest,
}

impl Listener {
    /// Has waited until a wait lasts: nothing is left to wake it.
    async fn new(handle: Arc<dyn Store>, key: &str) -> Self {
        let (key, interest) = (key.into(), Interest::lists());
        let pause = Duration::from_millis(20);
        for _ in 0..20 {
            handle.list(&key).await.unwrap();
            let start = Instant::now();
            handle.wait(&interest, pause).await.unwrap();
            if start.elapsed() >= pause {
                return Self {
                    handle,
                    key,
                    interest,
                };
            }
        }
        panic!("the store keeps waking for nothing");
    }

    /// Waits and looks until there are as many items.
    async fn items(&self, count: usize) -> Vec<Bytes> {
        let found = timeout(PATIENCE, async {
            loop {
                self.handle.wait(&self.interest, FOREVER).await.unwrap();
                let items = self.handle.list(&self.key).await.unwrap();
                if items.len() == count {
                    return items;
                }
            }
        });
        found.await.expect("the wait slept past an item")
    }
}

fn append(key: &str, item: &'static str) -> Vec<Effect> {
    vec![Effect::Append {
        key: key.into(),
        item: item.into(),
        ttl: FOREVER,
    }]
}

async fn an_item_wakes(store: Fixture) {
    let listener = Listener::new(store.handle(), "vm:1:a-signals").await;
    let signal = store.apply(append("vm:1:a-signals", "TSTP"));
    let (items, ()) = tokio::join!(listener.items(1), signal);
    assert_eq!(items, ["TSTP"]);
}

async fn an_item_through_another_handle_wakes(store: Fixture) {
    // Whatever the list is called, and whatever stands in it already.
    let listener = Listener::new(store.another_handle().await, "list").await;
    for count in 1..=5 {
        let (items, ()) = tokio::join!(listener.items(count), store.apply(append("list", "1")));
        assert_eq!(items, vec!["1"; count]);
    }
}

async fn an_item_between_list_and_wait_is_not_slept_past(store: Fixture) {
    for key in ["a-signals", "b-signals"] {
        let handle = if key == "a-signals" {
            store.handle()
        } else {
            store.another_handle().await
        };
        let listener = Listener::new(handle, key).await;
        assert!(listener.handle.list(&key.into()).await.unwrap().is_empty());
        store.apply(append(key, "TERM")).await;
        assert_eq!(listener.items(1).await, ["TERM"]);
    }
}
