//! Guards, effects, and what a batch of transactions comes to.

use std::time::Duration;

use sancho::store::{
    Batch, ClaimId, Commit, Effect, Guard, Lane, Members, PlaceName, Stat, TimedSet, Token, Tx,
    TxResult,
};
use sancho_tests::LEASE;
use sancho_tests::effects::{claim_id, contains, head, holds, release, tail, take, timed};

use super::{Fixture, Kind};

const APPLIED: TxResult = TxResult::Applied;

store_conformance![
    a_batch_answers_one_result_for_each_transaction,
    an_empty_batch_is_done,
    a_transaction_without_effects_is_applied,
    holds_is_true_of_a_claim_until_it_is_released,
    holds_is_false_of_what_was_never_claimed,
    holds_is_about_one_owner,
    holds_is_true_after_the_lease_ran_out,
    contains_is_true_of_exactly_these_bytes,
    contains_is_about_one_set,
    every_guard_must_hold_and_the_first_that_does_not_is_named,
    a_refused_transaction_does_all_of_its_otherwise,
    an_applied_transaction_does_nothing_of_its_otherwise,
    a_refused_transaction_does_not_touch_the_others,
    a_transaction_sees_what_those_before_it_did,
    guards_are_asked_before_the_effects_of_their_own_transaction,
    a_timed_set_holds_the_same_bytes_once,
    the_timed_sets_are_three,
    taking_what_is_not_there_does_nothing,
    a_queue_contains_exactly_these_bytes,
    of_equal_payloads_in_a_queue_the_one_that_runs_last_is_taken,
    what_is_cleared_is_empty,
    a_queue_that_was_cleared_and_left_is_known_again_once_it_is_pushed_to,
    releasing_what_is_not_held_does_nothing,
    releasing_ends_one_claim,
    counters_add_up_in_total_and_by_utc_day,
    a_counter_is_set_to_zero_and_its_days_stay,
    a_counter_is_carried_alone_and_never_below_zero,
    counting_nothing_adds_nothing,
    sets_of_names_hold_each_once,
    leaving_a_set_that_one_is_not_in_does_nothing,
    trim_drops_what_is_older,
    trim_keeps_the_newest,
    trim_breaks_ties_by_bytes,
    trim_by_age_and_number_at_once,
    trim_leaves_the_other_sets_alone,
    a_large_batch_is_applied_whole,
];

async fn a_batch_answers_one_result_for_each_transaction(store: Fixture) {
    let refused = Tx::when(contains(TimedSet::Dead, "x"), vec![]);
    let txs = vec![
        Tx::always(vec![]),
        refused.clone(),
        Tx::always(vec![tail("q", "1")]),
        refused,
    ];
    let no = TxResult::Refused { by: 0 };
    assert_eq!(
        store.commit_all(txs).await,
        [APPLIED, no.clone(), APPLIED, no]
    );
}

async fn an_empty_batch_is_done(store: Fixture) {
    let batch = Batch {
        lane: Lane::random(),
        seq: 1,
        txs: vec![],
    };
    assert_eq!(store.commit(&batch).await.unwrap(), Commit::Done(vec![]));
    assert_eq!(store.commit(&batch).await.unwrap(), Commit::Done(vec![]));
}

async fn a_transaction_without_effects_is_applied(store: Fixture) {
    assert_eq!(store.commit_one(Tx::default()).await, APPLIED);
}

async fn holds_is_true_of_a_claim_until_it_is_released(store: Fixture) {
    store.push("q", &["1"]).await;
    let owner = store.owner().await;
    let job = &store.claim_from(&owner, 1, &["q"], 1).await[0];
    let finish = Tx::when(holds(&owner, job), vec![release(&owner, job)]);
    assert_eq!(store.commit_one(finish.clone()).await, APPLIED);
    assert_eq!(store.commit_one(finish).await, TxResult::Refused { by: 0 });
}

async fn holds_is_false_of_what_was_never_claimed(store: Fixture) {
    store.push("q", &["1"]).await;
    let owner = store.owner().await;
    let job = store.claim_from(&owner, 1, &["q"], 1).await.remove(0);
    for token in [Token::new(1, 1), Token::new(2, 0), Token::from_number(0)] {
        let mut other = job.clone();
        other.token = token;
        let tx = Tx::when(holds(&owner, &other), vec![tail("q", "never")]);
        assert_eq!(store.commit_one(tx).await, TxResult::Refused { by: 0 });
    }
    assert!(store.waiting("q").await.is_empty());
}

async fn holds_is_about_one_owner(store: Fixture) {
    store.push("q", &["1", "2"]).await;
    let (one, other) = (store.owner().await, store.owner().await);
    let first = &store.claim_from(&one, 1, &["q"], 1).await[0];
    assert_eq!(
        store
            .commit_one(Tx::when(holds(&other, first), vec![]))
            .await,
        TxResult::Refused { by: 0 }
    );
    let second = &store.claim_from(&other, 1, &["q"], 1).await[0];
    assert_eq!(first.token, second.token);
    store.apply(vec![release(&other, second)]).await;
    assert_eq!(
        store.commit_one(Tx::when(holds(&one, first), vec![])).await,
        APPLIED
    );
}

async fn holds_is_true_after_the_lease_ran_out(store: Fixture) {
    store.push("q", &["1"]).await;
    let owner = store.owner().await;
    let job = &store.claim_from(&owner, 1, &["q"], 1).await[0];
    store.clock().advance(LEASE * 2);
    let finish = Tx::when(holds(&owner, job), vec![release(&owner, job)]);
    assert_eq!(store.commit_one(finish).await, APPLIED);
}

async fn contains_is_true_of_exactly_these_bytes(store: Fixture) {
    store
        .apply(vec![timed(TimedSet::Retry, store.now(), "job 1")])
        .await;
    for (payload, answer) in [
        ("job 1", APPLIED),
        ("job", TxResult::Refused { by: 0 }),
        ("job 10", TxResult::Refused { by: 0 }),
        ("JOB 1", TxResult::Refused { by: 0 }),
        ("", TxResult::Refused { by: 0 }),
    ] {
        let tx = Tx::when(contains(TimedSet::Retry, payload), vec![]);
        assert_eq!(store.commit_one(tx).await, answer, "{payload:?}");
    }
}

async fn contains_is_about_one_set(store: Fixture) {
    store
        .apply(vec![timed(TimedSet::Retry, store.now(), "1")])
        .await;
    for set in [TimedSet::Schedule, TimedSet::Dead] {
        let tx = Tx::when(contains(set, "1"), vec![]);
        assert_eq!(store.commit_one(tx).await, TxResult::Refused { by: 0 });
    }
}

async fn every_guard_must_hold_and_the_first_that_does_not_is_named(store: Fixture) {
    let at = store.now();
    store
        .apply(vec![
            timed(TimedSet::Retry, at, "a"),
            timed(TimedSet::Dead, at, "b"),
        ])
        .await;
    let (a, b) = (
        contains(TimedSet::Retry, "a"),
        contains(TimedSet::Dead, "b"),
    );
    let no = contains(TimedSet::Schedule, "c");
    for (when, answer) in [
        (vec![a.clone(), b.clone()], APPLIED),
        (
            vec![a.clone(), no.clone(), b.clone()],
            TxResult::Refused { by: 1 },
        ),
        (
            vec![no.clone(), a.clone(), no.clone()],
            TxResult::Refused { by: 0 },
        ),
        (
            vec![a.clone(), b.clone(), a, b, no.clone(), no],
            TxResult::Refused { by: 4 },
        ),
    ] {
        let tx = Tx {
            when,
            then: vec![],
            otherwise: vec![],
        };
        assert_eq!(store.commit_one(tx).await, answer);
    }
}

async fn a_refused_transaction_does_all_of_its_otherwise(store: Fixture) {
    store.push("q", &["1"]).await;
    let owner = store.owner().await;
    let job = &store.claim_from(&owner, 1, &["q"], 1).await[0];
    let tx = Tx {
        when: vec![contains(TimedSet::Schedule, "slot")],
        then: vec![tail("run", "1")],
        otherwise: vec![
            timed(TimedSet::Schedule, store.now(), "1"),
            head("parked", "2"),
            release(&owner, job),
            Effect::Count(Stat::Failed, 1),
        ],
    };
    assert_eq!(store.commit_one(tx).await, TxResult::Refused { by: 0 });
    assert!(store.waiting("run").await.is_empty());
    assert_eq!(store.waiting("parked").await, ["2"]);
    assert_eq!(store.timed(TimedSet::Schedule).await.len(), 1);
    assert!(store.held_by(&owner).await.is_empty());
    assert_eq!(store.counter(Stat::Failed, None).await.unwrap(), 1);
}

async fn an_applied_transaction_does_nothing_of_its_otherwise(store: Fixture) {
    let tx = Tx {
        when: vec![],
        then: vec![tail("yes", "1")],
        otherwise: vec![tail("no", "1")],
    };
    assert_eq!(store.commit_one(tx).await, APPLIED);
    assert_eq!(store.waiting("yes").await, ["1"]);
    assert!(store.waiting("no").await.is_empty());
    assert_eq!(store.members(Members::Queues).await.unwrap(), ["yes"]);
}

async fn a_refused_transaction_does_not_touch_the_others(store: Fixture) {
    let no = Tx::when(contains(TimedSet::Dead, "x"), vec![tail("q", "never")]);
    let txs = vec![
        Tx::always(vec![tail("q", "1")]),
        no.clone(),
        Tx::always(vec![tail("q", "2")]),
        no,
    ];
    store.commit_all(txs).await;
    assert_eq!(store.waiting("q").await, ["1", "2"]);
}

async fn a_transaction_sees_what_those_before_it_did(store: Fixture) {
    store
        .apply(vec![timed(TimedSet::Schedule, store.now(), "1")])
        .await;
    let promote = Tx::when(
        contains(TimedSet::Schedule, "1"),
        vec![tail("q", "1"), take(TimedSet::Schedule, "1")],
    );
    let results = store.commit_all(vec![promote.clone(), promote]).await;
    assert_eq!(results, [APPLIED, TxResult::Refused { by: 0 }]);
    assert_eq!(store.waiting("q").await, ["1"]);
}

async fn guards_are_asked_before_the_effects_of_their_own_transaction(store: Fixture) {
    let tx = Tx::when(
        contains(TimedSet::Retry, "1"),
        vec![timed(TimedSet::Retry, store.now(), "1")],
    );
    assert_eq!(store.commit_one(tx).await, TxResult::Refused { by: 0 });
    assert!(store.timed(TimedSet::Retry).await.is_empty());
}

async fn a_timed_set_holds_the_same_bytes_once(store: Fixture) {
    let (now, later) = (store.now(), store.now().after(Duration::from_micros(1)));
    store
        .apply(vec![
            timed(TimedSet::Retry, later, "1"),
            timed(TimedSet::Retry, now, "2"),
        ])
        .await;
    store.apply(vec![timed(TimedSet::Retry, now, "1")]).await;
    assert_eq!(
        store.timed(TimedSet::Retry).await,
        [(now, "1".into()), (now, "2".into())]
    );
    store.apply(vec![timed(TimedSet::Retry, later, "1")]).await;
    assert_eq!(
        store.timed(TimedSet::Retry).await,
        [(now, "2".into()), (later, "1".into())]
    );
    assert_eq!(store.census().await.unwrap().retry, 2);
}

async fn the_timed_sets_are_three(store: Fixture) {
    for (set, payload) in TimedSet::ALL.into_iter().zip(["s", "r", "d"]) {
        store.apply(vec![timed(set, store.now(), payload)]).await;
    }
    for (set, payload) in TimedSet::ALL.into_iter().zip(["s", "r", "d"]) {
        assert_eq!(store.timed(set).await, [(store.now(), payload.into())]);
    }
}

async fn taking_what_is_not_there_does_nothing(store: Fixture) {
    store
        .apply(vec![timed(TimedSet::Retry, store.now(), "1")])
        .await;
    store
        .apply(vec![take(TimedSet::Retry, "2"), take(TimedSet::Dead, "1")])
        .await;
    assert_eq!(store.timed(TimedSet::Retry).await.len(), 1);
    store.apply(vec![take(TimedSet::Retry, "1")]).await;
    assert!(store.timed(TimedSet::Retry).await.is_empty());
}

async fn a_queue_contains_exactly_these_bytes(store: Fixture) {
    store.push("q", &["1", "job", "3"]).await;
    let of = |queue: &str, payload: &'static str| {
        let guard = Guard::Contains(PlaceName::queue(queue), payload.into());
        Tx::when(guard, vec![])
    };
    for payload in ["1", "job", "3"] {
        assert_eq!(store.commit_one(of("q", payload)).await, APPLIED);
    }
    for (queue, payload) in [("q", "jo"), ("q", "JOB"), ("q", ""), ("other", "job")] {
        let result = store.commit_one(of(queue, payload)).await;
        assert_eq!(result, TxResult::Refused { by: 0 }, "{queue} {payload:?}");
    }
}

async fn of_equal_payloads_in_a_queue_the_one_that_runs_last_is_taken(store: Fixture) {
    store.push("q", &["1", "2", "1", "3", "1"]).await;
    let take = |payload: &'static str| Effect::Take(PlaceName::queue("q"), payload.into());
    store.apply(vec![take("1")]).await;
    assert_eq!(store.waiting("q").await, ["1", "2", "1", "3"]);
    store.apply(vec![take("1"), take("none")]).await;
    assert_eq!(store.waiting("q").await, ["1", "2", "3"]);
    let elsewhere = Effect::Take(PlaceName::queue("none"), "1".into());
    store.apply(vec![elsewhere]).await;
    // Whoever moves one puts it before it is taken.
    store.apply(vec![tail("other", "3"), take("3")]).await;
    assert_eq!(store.waiting("q").await, ["1", "2"]);
    assert_eq!(store.waiting("other").await, ["3"]);
}

async fn what_is_cleared_is_empty(store: Fixture) {
    let at = store.now();
    for set in TimedSet::ALL {
        store
            .apply(vec![timed(set, at, "1"), timed(set, at, "2")])
            .await;
    }
    store.push("q", &["1", "2"]).await;
    store.push("other", &["3"]).await;
    let clear = |place: PlaceName| Effect::Clear(place);
    store
        .apply(vec![
            clear(PlaceName::queue("q")),
            clear(TimedSet::Retry.into()),
            clear(PlaceName::queue("none")),
        ])
        .await;
    assert!(store.waiting("q").await.is_empty());
    assert!(store.timed(TimedSet::Retry).await.is_empty());
    assert_eq!(store.timed(TimedSet::Dead).await.len(), 2);
    assert_eq!(store.timed(TimedSet::Schedule).await.len(), 2);
    assert_eq!(store.waiting("other").await, ["3"]);
    // A queue that is empty is known on.
    assert_eq!(
        store.members(Members::Queues).await.unwrap(),
        ["other", "q"]
    );
}

async fn a_queue_that_was_cleared_and_left_is_known_again_once_it_is_pushed_to(store: Fixture) {
    store.push("q", &["1", "2"]).await;
    let forget = vec![
        Effect::Leave(Members::Queues, "q".into()),
        Effect::Clear(PlaceName::queue("q")),
    ];
    let known = async || store.members(Members::Queues).await.unwrap();
    store.apply(forget.clone()).await;
    assert!(known().await.is_empty());
    store.push("q", &["3"]).await;
    assert_eq!(known().await, ["q"]);
    // In one batch as well.
    let txs = [vec![tail("q", "4")], forget, vec![tail("q", "5")]];
    store.commit_all(txs.map(Tx::always).into()).await;
    assert_eq!(known().await, ["q"]);
    assert_eq!(store.waiting("q").await, ["5"]);
}

async fn releasing_what_is_not_held_does_nothing(store: Fixture) {
    store.push("q", &["1"]).await;
    let owner = store.owner().await;
    let job = &store.claim_from(&owner, 1, &["q"], 1).await[0];
    let other = ClaimId {
        owner: owner.clone(),
        token: Token::new(7, 7),
    };
    let stranger = ClaimId {
        owner: store.owner().await,
        token: job.token,
    };
    store
        .apply(vec![Effect::Release(other), Effect::Release(stranger)])
        .await;
    assert_eq!(store.held_by(&owner).await, ["1"]);
}

async fn releasing_ends_one_claim(store: Fixture) {
    store.push("q", &["1", "2", "3"]).await;
    let owner = store.owner().await;
    let jobs = store.claim_from(&owner, 1, &["q"], 3).await;
    store
        .apply(vec![Effect::Release(claim_id(&owner, &jobs[1]))])
        .await;
    assert_eq!(store.held_by(&owner).await, ["1", "3"]);
    assert!(store.waiting("q").await.is_empty());
}

async fn a_counter_is_set_to_zero_and_its_days_stay(store: Fixture) {
    let counts = vec![
        Effect::Count(Stat::Processed, 3),
        Effect::Count(Stat::Failed, 2),
    ];
    store.apply(counts).await;
    store.apply(vec![Effect::Reset(Stat::Processed)]).await;
    let today = chrono::DateTime::from(store.now())
        .format("%Y-%m-%d")
        .to_string();
    let which = [
        (Stat::Processed, None),
        (Stat::Processed, Some(&*today)),
        (Stat::Failed, None),
    ];
    assert_eq!(store.counters(&which).await.unwrap(), [0, 3, 2]);
    store.apply(vec![Effect::Count(Stat::Processed, 1)]).await;
    assert_eq!(store.counters(&which).await.unwrap(), [1, 4, 2]);
}

async fn counters_add_up_in_total_and_by_utc_day(store: Fixture) {
    let count = |stat, n| Tx::always(vec![Effect::Count(stat, n)]);
    store
        .commit_all(vec![count(Stat::Processed, 2), count(Stat::Failed, 1)])
        .await;
    store
        .apply(vec![
            Effect::Count(Stat::Processed, 3),
            Effect::Count(Stat::Processed, 4),
        ])
        .await;
    // 10 in the morning and 14 hours: the first moment of the next day.
    store
        .clock()
        .advance(Duration::from_secs(14 * 3600) - Duration::from_millis(1));
    store.commit_all(vec![count(Stat::Processed, 10)]).await;
    store.clock().advance(Duration::from_millis(1));
    store.commit_all(vec![count(Stat::Processed, 100)]).await;
    for (stat, day, n) in [
        (Stat::Processed, None, 119),
        (Stat::Processed, Some("2026-11-24"), 19),
        (Stat::Processed, Some("2026-11-25"), 100),
        (Stat::Processed, Some("2026-11-26"), 0),
        (Stat::Failed, None, 1),
        (Stat::Failed, Some("2026-11-24"), 1),
        (Stat::Failed, Some("2026-11-25"), 0),
    ] {
        assert_eq!(
            store.counter(stat, day).await.unwrap(),
            n,
            "{stat:?} {day:?}"
        );
    }
}

async fn a_counter_is_carried_alone_and_never_below_zero(store: Fixture) {
    let carry = |day: Option<&str>, by| Effect::Carry {
        stat: Stat::Failed,
        day: day.map(Into::into),
        by,
    };
    let old = "2026-01-05";
    store.apply(vec![carry(None, 5), carry(Some(old), 3)]).await;
    store.apply(vec![Effect::Count(Stat::Failed, 1)]).await;
    let which = [
        (Stat::Failed, None),
        (Stat::Failed, Some(old)),
        (Stat::Failed, Some("2026-11-24")),
        (Stat::Processed, None),
    ];
    assert_eq!(store.counters(&which).await.unwrap(), [6, 3, 1, 0]);
    store
        .apply(vec![carry(None, -2), carry(Some(old), -3)])
        .await;
    assert_eq!(store.counters(&which).await.unwrap(), [4, 0, 1, 0]);
    store
        .apply(vec![carry(None, -9), carry(Some(old), -1)])
        .await;
    store.apply(vec![carry(None, 2)]).await;
    assert_eq!(store.counters(&which).await.unwrap(), [2, 0, 1, 0]);
}

async fn counting_nothing_adds_nothing(store: Fixture) {
    assert_eq!(store.counter(Stat::Processed, None).await.unwrap(), 0);
    store.apply(vec![Effect::Count(Stat::Processed, 0)]).await;
    assert_eq!(store.counter(Stat::Processed, None).await.unwrap(), 0);
}

async fn sets_of_names_hold_each_once(store: Fixture) {
    let join = |set, name: &str| Effect::Join(set, name.into());
    store
        .apply(vec![join(Members::Paused, "b"), join(Members::Paused, "a")])
        .await;
    store
        .apply(vec![join(Members::Paused, "b"), join(Members::Queues, "c")])
        .await;
    assert_eq!(store.members(Members::Paused).await.unwrap(), ["a", "b"]);
    assert_eq!(store.members(Members::Queues).await.unwrap(), ["c"]);
    store
        .apply(vec![Effect::Leave(Members::Paused, "b".into())])
        .await;
    assert_eq!(store.members(Members::Paused).await.unwrap(), ["a"]);
}

async fn leaving_a_set_that_one_is_not_in_does_nothing(store: Fixture) {
    store
        .apply(vec![Effect::Leave(Members::Queues, "a".into())])
        .await;
    store.push("b", &["1"]).await;
    store
        .apply(vec![Effect::Leave(Members::Queues, "a".into())])
        .await;
    assert_eq!(store.members(Members::Queues).await.unwrap(), ["b"]);
}

/// Entries `a` to `e`, a second apart from the store's time on.
async fn five_dead(store: &Fixture) {
    let at = |seconds| store.now().after(Duration::from_secs(seconds));
    let entries = (0..).zip(["a", "b", "c", "d", "e"]);
    store
        .apply(
            entries
                .map(|(n, payload)| timed(TimedSet::Dead, at(n), payload))
                .collect(),
        )
        .await;
}

/// Trims the dead set by age (in seconds from the store's time) and number, and tells what is left.
async fn trim_dead(store: &Fixture, before: u64, keep: u64) -> Vec<bytes::Bytes> {
    let before = store.now().after(Duration::from_secs(before));
    store
        .apply(vec![Effect::Trim {
            set: TimedSet::Dead,
            before,
            keep,
        }])
        .await;
    store
        .timed(TimedSet::Dead)
        .await
        .into_iter()
        .map(|(_, payload)| payload)
        .collect()
}

async fn trim_drops_what_is_older(store: Fixture) {
    five_dead(&store).await;
    assert_eq!(trim_dead(&store, 0, 99).await.len(), 5);
    // An entry of exactly that time is not older.
    assert_eq!(trim_dead(&store, 2, 99).await, ["c", "d", "e"]);
    assert!(trim_dead(&store, 5, 99).await.is_empty());
    assert!(trim_dead(&store, 5, 99).await.is_empty());
}

async fn trim_keeps_the_newest(store: Fixture) {
    five_dead(&store).await;
    assert_eq!(trim_dead(&store, 0, 5).await.len(), 5);
    assert_eq!(trim_dead(&store, 0, 2).await, ["d", "e"]);
    assert!(trim_dead(&store, 0, 0).await.is_empty());
}

async fn trim_breaks_ties_by_bytes(store: Fixture) {
    let at = store.now();
    store
        .apply(
            ["b", "a", "c"]
                .map(|payload| timed(TimedSet::Dead, at, payload))
                .into(),
        )
        .await;
    assert_eq!(trim_dead(&store, 0, 1).await, ["c"]);
}

async fn trim_by_age_and_number_at_once(store: Fixture) {
    five_dead(&store).await;
    assert_eq!(trim_dead(&store, 1, 3).await, ["c", "d", "e"]);
    assert_eq!(trim_dead(&store, 4, 3).await, ["e"]);
}

async fn trim_leaves_the_other_sets_alone(store: Fixture) {
    five_dead(&store).await;
    store
        .apply(vec![timed(TimedSet::Retry, store.now(), "r")])
        .await;
    trim_dead(&store, 9, 0).await;
    assert_eq!(store.timed(TimedSet::Retry).await.len(), 1);
}

async fn a_large_batch_is_applied_whole(store: Fixture) {
    let payload = |n: usize| format!("job {n:05}");
    let txs = (0..2_000)
        .map(|n| {
            let place = timed(TimedSet::Schedule, store.now(), payload(n));
            Tx::always(vec![tail("q", payload(n)), place])
        })
        .collect();
    let results = store.commit_all(txs).await;
    assert_eq!(results, vec![APPLIED; 2_000]);
    let expected: Vec<_> = (0..2_000).map(payload).collect();
    assert_eq!(store.waiting("q").await, expected);
    assert_eq!(store.census().await.unwrap().schedule, 2_000);
}
