//! Receipts: a batch that comes again, or late.

use std::time::Duration;

use sancho::store::{Batch, Commit, Effect, Lane, RECEIPT_TTL, Stat, TimedSet, Tx, TxResult};
use sancho_tests::effects::{contains, holds, release, tail, take, timed};

use super::{Fixture, Kind};

store_conformance![
    a_repeated_batch_is_applied_once,
    a_repeated_batch_gives_every_kind_of_answer_again,
    a_repeated_finish_is_answered_as_the_first_time,
    a_repeated_batch_counts_once,
    a_batch_is_repeated_through_any_handle,
    an_older_batch_is_stale,
    numbers_of_batches_may_leave_gaps,
    lanes_are_independent,
    a_receipt_is_kept_for_its_time,
    a_receipt_is_forgotten_after_its_time,
    a_repeat_does_not_prolong_a_receipt,
    the_next_batch_begins_the_time_of_its_own_receipt,
    a_stalled_lane_does_not_hold_up_others,
];

fn pushes(lane: &Lane, seq: u64, payloads: &[&'static str]) -> Batch {
    let tx = |payload: &&'static str| Tx::always(vec![tail("q", *payload)]);
    Batch {
        lane: lane.clone(),
        seq,
        txs: payloads.iter().map(tx).collect(),
    }
}

fn applied(n: usize) -> Commit {
    Commit::Done(vec![TxResult::Applied; n])
}

async fn a_repeated_batch_is_applied_once(store: Fixture) {
    let batch = pushes(&Lane::random(), 1, &["1", "2"]);
    for _ in 0..3 {
        assert_eq!(store.commit(&batch).await.unwrap(), applied(2));
    }
    assert_eq!(store.waiting("q").await, ["1", "2"]);
}

async fn a_repeated_batch_gives_every_kind_of_answer_again(store: Fixture) {
    let at = store.now();
    store.apply(vec![timed(TimedSet::Retry, at, "1")]).await;
    let guarded = Tx {
        when: vec![
            contains(TimedSet::Retry, "1"),
            contains(TimedSet::Dead, "2"),
        ],
        then: vec![tail("q", "1")],
        otherwise: vec![timed(TimedSet::Dead, at, "2"), take(TimedSet::Retry, "1")],
    };
    let txs = vec![guarded.clone(), Tx::always(vec![]), guarded];
    let batch = Batch {
        lane: Lane::random(),
        seq: 1,
        txs,
    };
    let answer = Commit::Done(vec![
        TxResult::Refused { by: 1 },
        TxResult::Applied,
        TxResult::Refused { by: 0 },
    ]);
    assert_eq!(store.commit(&batch).await.unwrap(), answer);
    assert_eq!(store.commit(&batch).await.unwrap(), answer);
}

async fn a_repeated_finish_is_answered_as_the_first_time(store: Fixture) {
    store.push("q", &["1"]).await;
    let owner = store.owner().await;
    let job = &store.claim_from(&owner, 1, &["q"], 1).await[0];
    let finish = Tx::when(holds(&owner, job), vec![release(&owner, job)]);
    let batch = Batch {
        lane: Lane::random(),
        seq: 1,
        txs: vec![finish],
    };
    // The claim is gone by the second time: only the receipt can say that it was this batch that ended it.
    assert_eq!(store.commit(&batch).await.unwrap(), applied(1));
    assert_eq!(store.commit(&batch).await.unwrap(), applied(1));
}

async fn a_repeated_batch_counts_once(store: Fixture) {
    let txs = vec![Tx::always(vec![Effect::Count(Stat::Processed, 3)]); 2];
    let batch = Batch {
        lane: Lane::random(),
        seq: 1,
        txs,
    };
    store.commit(&batch).await.unwrap();
    store.commit(&batch).await.unwrap();
    assert_eq!(store.counter(Stat::Processed, None).await.unwrap(), 6);
    assert_eq!(
        store
            .counter(Stat::Processed, Some("2026-11-24"))
            .await
            .unwrap(),
        6
    );
}

async fn a_batch_is_repeated_through_any_handle(store: Fixture) {
    let batch = pushes(&Lane::random(), 1, &["1"]);
    assert_eq!(store.commit(&batch).await.unwrap(), applied(1));
    let other = store.another_handle().await;
    assert_eq!(other.commit(&batch).await.unwrap(), applied(1));
    assert_eq!(store.waiting("q").await, ["1"]);
}

async fn an_older_batch_is_stale(store: Fixture) {
    let lane = Lane::random();
    store.commit(&pushes(&lane, 1, &["1"])).await.unwrap();
    store.commit(&pushes(&lane, 2, &["2"])).await.unwrap();
    assert_eq!(
        store.commit(&pushes(&lane, 1, &["1"])).await.unwrap(),
        Commit::Stale
    );
    assert_eq!(
        store.commit(&pushes(&lane, 2, &["2"])).await.unwrap(),
        applied(1)
    );
    assert_eq!(store.waiting("q").await, ["1", "2"]);
}

async fn numbers_of_batches_may_leave_gaps(store: Fixture) {
    let lane = Lane::random();
    for (seq, payload) in [(3, "1"), (10, "2"), (1_000_000, "3")] {
        assert_eq!(
            store.commit(&pushes(&lane, seq, &[payload])).await.unwrap(),
            applied(1)
        );
        assert_eq!(
            store.commit(&pushes(&lane, seq - 1, &["x"])).await.unwrap(),
            Commit::Stale
        );
    }
    assert_eq!(store.waiting("q").await, ["1", "2", "3"]);
}

async fn lanes_are_independent(store: Fixture) {
    let (one, other) = (Lane::random(), Lane::random());
    assert_eq!(
        store.commit(&pushes(&one, 5, &["1"])).await.unwrap(),
        applied(1)
    );
    assert_eq!(
        store.commit(&pushes(&other, 1, &["2", "3"])).await.unwrap(),
        applied(2)
    );
    assert_eq!(
        store.commit(&pushes(&other, 5, &["4"])).await.unwrap(),
        applied(1)
    );
    assert_eq!(
        store.commit(&pushes(&one, 5, &["x"])).await.unwrap(),
        applied(1)
    );
    assert_eq!(
        store.commit(&pushes(&one, 4, &["x"])).await.unwrap(),
        Commit::Stale
    );
    assert_eq!(store.waiting("q").await, ["1", "2", "3", "4"]);
}

async fn a_receipt_is_kept_for_its_time(store: Fixture) {
    let lane = Lane::random();
    store.commit(&pushes(&lane, 2, &["1"])).await.unwrap();
    store
        .clock()
        .advance(RECEIPT_TTL - Duration::from_millis(1));
    assert_eq!(
        store.commit(&pushes(&lane, 2, &["1"])).await.unwrap(),
        applied(1)
    );
    assert_eq!(
        store.commit(&pushes(&lane, 1, &["0"])).await.unwrap(),
        Commit::Stale
    );
    assert_eq!(store.waiting("q").await, ["1"]);
}

async fn a_receipt_is_forgotten_after_its_time(store: Fixture) {
    let lane = Lane::random();
    store.commit(&pushes(&lane, 2, &["1"])).await.unwrap();
    store.clock().advance(RECEIPT_TTL);
    assert_eq!(
        store.commit(&pushes(&lane, 1, &["2"])).await.unwrap(),
        applied(1)
    );
    assert_eq!(
        store.commit(&pushes(&lane, 2, &["3"])).await.unwrap(),
        applied(1)
    );
    assert_eq!(store.waiting("q").await, ["1", "2", "3"]);
}

async fn a_repeat_does_not_prolong_a_receipt(store: Fixture) {
    let batch = pushes(&Lane::random(), 1, &["1"]);
    store.commit(&batch).await.unwrap();
    store.clock().advance(RECEIPT_TTL / 2);
    store.commit(&batch).await.unwrap();
    store.clock().advance(RECEIPT_TTL / 2);
    store.commit(&batch).await.unwrap();
    assert_eq!(store.waiting("q").await, ["1", "1"]);
}

async fn the_next_batch_begins_the_time_of_its_own_receipt(store: Fixture) {
    let lane = Lane::random();
    store.commit(&pushes(&lane, 1, &["1"])).await.unwrap();
    store.clock().advance(RECEIPT_TTL / 2);
    store.commit(&pushes(&lane, 2, &["2"])).await.unwrap();
    store.clock().advance(RECEIPT_TTL / 2);
    assert_eq!(
        store.commit(&pushes(&lane, 2, &["2"])).await.unwrap(),
        applied(1)
    );
    assert_eq!(
        store.commit(&pushes(&lane, 1, &["1"])).await.unwrap(),
        Commit::Stale
    );
    assert_eq!(store.waiting("q").await, ["1", "2"]);
}

async fn a_stalled_lane_does_not_hold_up_others(store: Fixture) {
    let (stalled, busy) = (Lane::random(), Lane::random());
    store.commit(&pushes(&stalled, 1, &["1"])).await.unwrap();
    for seq in 1..50 {
        store.commit(&pushes(&busy, seq, &["x"])).await.unwrap();
    }
    assert_eq!(
        store.commit(&pushes(&stalled, 1, &["1"])).await.unwrap(),
        applied(1)
    );
    assert_eq!(store.waiting("q").await.len(), 50);
}
