//! The ways in which a careless store loses or doubles jobs, each as the interleaving that does it.

use std::time::Duration;

use bytes::Bytes;
use sancho::store::{
    Batch, Claim, Claimed, Commit, Effect, Lane, MAX_CLAIM, Members, Owner, Registration, Standing,
    TimedSet, Tx, TxResult,
};
use sancho_tests::LEASE;
use sancho_tests::effects::{contains, head, holds, release, tail, take, timed};

use super::{Fixture, Kind};

store_conformance![
    a01_claim_whose_answer_is_lost,
    a01_takeover_whose_answer_is_lost,
    a02_claim_by_an_evicted_owner,
    a02_claim_by_an_owner_that_is_half_taken_over,
    a03_claim_that_arrives_late,
    a03_takeover_that_arrives_late,
    a03_batch_that_arrives_late,
    a05_a_retry_stands_in_one_place_at_a_time,
    a08_repeated_push,
    a08_repeated_finish,
    a09_claims_that_nobody_knows_are_found,
    a10_promotion_keeps_the_bytes,
    a10_of_two_promoters_one_wins,
    a10_an_entry_that_cannot_be_parsed_does_not_block_the_page,
    a11_leases_follow_the_clock_of_the_store,
    a12_payload_that_kills_who_takes_it_over,
    a13_takeover_of_a_large_owner,
    a13_order_survives_a_hand_back,
    a13_two_rescuers_and_an_owner_in_mid_commit,
    a14_what_a_refusal_does_happens_in_the_same_step,
    a15_the_same_bytes_twice_are_one_entry,
    a17_transaction_of_many_effects,
    a17_batch_that_ends_many_claims,
    a18_pause_lets_nothing_through,
    a19_trim_of_a_large_set,
];

fn payloads(jobs: &[Claimed]) -> Vec<Bytes> {
    jobs.iter().map(|job| job.payload.clone()).collect()
}

fn finish(owner: &Owner, job: &Claimed) -> Tx {
    Tx::when(
        holds(owner, job),
        vec![tail("done", job.payload.clone()), release(owner, job)],
    )
}

fn hand_back(owner: &Owner, job: &Claimed) -> Tx {
    let back = head(&job.queue, job.payload.clone());
    Tx::when(holds(owner, job), vec![back, release(owner, job)])
}

async fn a01_claim_whose_answer_is_lost(store: Fixture) {
    store.push("q", &["1", "2"]).await;
    let owner = store.owner().await;
    drop(store.try_claim(&owner, 1, &["q"], 1).await);
    // It lives on and renews, so nobody will ever take the job over: only the repeat can find it.
    store.renew_for(&owner, LEASE, Registration::Known).await;
    let jobs = store.claim_from(&owner, 1, &["q"], 1).await;
    assert_eq!(payloads(&jobs), ["1"]);
    assert_eq!(
        store.commit_one(finish(&owner, &jobs[0])).await,
        TxResult::Applied
    );
    assert_eq!(store.waiting("q").await, ["2"]);
    assert_eq!(store.census().await.unwrap().claimed, 0);
}

async fn a01_takeover_whose_answer_is_lost(store: Fixture) {
    store.push("q", &["1", "2"]).await;
    let dead = store.owner().await;
    store.claim_from(&dead, 1, &["q"], 2).await;
    store.clock().advance(LEASE);
    let rescuer = store.owner().await;
    drop(store.try_take_over(&rescuer, 1, &dead, 9).await);
    let jobs = store.take_over_from(&rescuer, 1, &dead, 9).await;
    assert_eq!(payloads(&jobs), ["1", "2"]);
    let results = store
        .commit_all(jobs.iter().map(|job| finish(&rescuer, job)).collect())
        .await;
    assert_eq!(results, [TxResult::Applied, TxResult::Applied]);
    assert_eq!(store.census().await.unwrap().claimed, 0);
}

async fn a02_claim_by_an_evicted_owner(store: Fixture) {
    store.push("q", &["1", "2"]).await;
    let stalled = store.owner().await;
    store.claim_from(&stalled, 1, &["q"], 1).await;
    store.clock().advance(LEASE * 2);
    let rescuer = store.owner().await;
    store.take_over_from(&rescuer, 1, &stalled, 9).await;
    // It wakes, and claims before it renews. What it got now, nobody would ever look for.
    assert_eq!(
        store.try_claim(&stalled, 2, &["q"], 1).await,
        Claim::Evicted
    );
    assert_eq!(
        store.try_claim(&stalled, 1, &["q"], 1).await,
        Claim::Evicted
    );
    assert!(store.held_by(&stalled).await.is_empty());
    assert_eq!(store.waiting("q").await, ["2"]);
    assert_eq!(store.owners().await.unwrap().len(), 1);
}

async fn a02_claim_by_an_owner_that_is_half_taken_over(store: Fixture) {
    store.push("q", &["1", "2", "3"]).await;
    let stalled = store.owner().await;
    store.claim_from(&stalled, 1, &["q"], 2).await;
    store.clock().advance(LEASE);
    let rescuer = store.owner().await;
    store.take_over_from(&rescuer, 1, &stalled, 1).await;
    assert_eq!(
        store.try_claim(&stalled, 2, &["q"], 1).await,
        Claim::Evicted
    );
    let renewed = store.renew_for(&stalled, LEASE, Registration::Known).await;
    assert_eq!(renewed.standing, Standing::Evicted);
    assert_eq!(store.waiting("q").await, ["3"]);
    assert_eq!(
        payloads(&store.take_over_from(&rescuer, 2, &stalled, 9).await),
        ["2"]
    );
}

async fn a03_claim_that_arrives_late(store: Fixture) {
    store.push("q", &["1", "2", "3"]).await;
    let owner = store.owner().await;
    // The call with number 1 timed out and its bytes stay on the way. It was repeated, and the owner went on.
    let first = store.claim_from(&owner, 1, &["q"], 1).await;
    store.commit_one(finish(&owner, &first[0])).await;
    let second = store.claim_from(&owner, 2, &["q"], 1).await;
    assert_eq!(store.try_claim(&owner, 1, &["q"], 1).await, Claim::Stale);
    assert_eq!(store.waiting("q").await, ["3"]);
    assert_eq!(store.held_by(&owner).await, ["2"]);
    assert_eq!(store.claim_from(&owner, 2, &["q"], 1).await, second);
}

async fn a03_takeover_that_arrives_late(store: Fixture) {
    store.push("q", &["1", "2", "3"]).await;
    let dead = store.owner().await;
    store.claim_from(&dead, 1, &["q"], 2).await;
    store.clock().advance(LEASE);
    let rescuer = store.owner().await;
    store.take_over_from(&rescuer, 1, &dead, 1).await;
    store.claim_from(&rescuer, 2, &["q"], 1).await;
    assert_eq!(
        store.try_take_over(&rescuer, 1, &dead, 1).await,
        Claim::Stale
    );
    assert_eq!(store.held_by(&dead).await, ["2"]);
    assert_eq!(store.held_by(&rescuer).await, ["1", "3"]);
}

async fn a03_batch_that_arrives_late(store: Fixture) {
    let lane = Lane::random();
    let batch = |seq, payload: &'static str| {
        let txs = vec![Tx::always(vec![tail("q", payload)])];
        Batch {
            lane: lane.clone(),
            seq,
            txs,
        }
    };
    for (seq, payload) in [(1, "1"), (1, "1"), (2, "2")] {
        store.commit(&batch(seq, payload)).await.unwrap();
    }
    assert_eq!(store.commit(&batch(1, "1")).await.unwrap(), Commit::Stale);
    assert_eq!(store.waiting("q").await, ["1", "2"]);
}

async fn a05_a_retry_stands_in_one_place_at_a_time(store: Fixture) {
    store.push("q", &["1"]).await;
    let owner = store.owner().await;
    let job = store.claim_from(&owner, 1, &["q"], 1).await.remove(0);
    let retry = Tx::when(
        holds(&owner, &job),
        vec![
            timed(TimedSet::Retry, store.now(), "1"),
            release(&owner, &job),
        ],
    );
    let places = async || {
        let census = store.census().await.unwrap();
        (census.queues[0].size, census.retry, census.claimed)
    };
    assert_eq!(places().await, (0, 0, 1));
    assert_eq!(store.commit_one(retry.clone()).await, TxResult::Applied);
    assert_eq!(places().await, (0, 1, 0));
    assert_eq!(store.commit_one(retry).await, TxResult::Refused { by: 0 });
    assert_eq!(places().await, (0, 1, 0));
}

/// What lets go of a payload before it is placed loses it where placing fails, so no such transaction is built.
#[test]
fn a05_letting_go_before_placing_is_not_well_ordered() {
    let owner = Owner::random();
    let job = Claimed {
        token: sancho::store::Token::new(1, 0),
        queue: "q".into(),
        recoveries: 0,
        payload: "1".into(),
    };
    let place = head("q", "1");
    assert!(Tx::always(vec![place.clone(), release(&owner, &job)]).is_well_ordered());
    assert!(!Tx::always(vec![release(&owner, &job), place.clone()]).is_well_ordered());
    assert!(!Tx::always(vec![take(TimedSet::Retry, "1"), place.clone()]).is_well_ordered());
    let count = Effect::Count(sancho::store::Stat::Processed, 1);
    assert!(!Tx::always(vec![count, release(&owner, &job)]).is_well_ordered());
    let otherwise = Tx {
        otherwise: vec![release(&owner, &job), place],
        ..Tx::default()
    };
    assert!(!otherwise.is_well_ordered());
}

async fn a08_repeated_push(store: Fixture) {
    let txs = vec![Tx::always(vec![tail("q", "1")]); 3];
    let batch = Batch {
        lane: Lane::random(),
        seq: 1,
        txs,
    };
    let first = store.commit(&batch).await.unwrap();
    let owner = store.owner().await;
    store.claim_from(&owner, 1, &["q"], 3).await;
    // Though everything of it is gone by now, the repeat pushes nothing.
    assert_eq!(store.commit(&batch).await.unwrap(), first);
    assert!(store.waiting("q").await.is_empty());
}

async fn a08_repeated_finish(store: Fixture) {
    store.push("q", &["1", "2"]).await;
    let owner = store.owner().await;
    let jobs = store.claim_from(&owner, 1, &["q"], 2).await;
    let txs = jobs.iter().map(|job| finish(&owner, job)).collect();
    let batch = Batch {
        lane: Lane::random(),
        seq: 1,
        txs,
    };
    let applied = Commit::Done(vec![TxResult::Applied; 2]);
    assert_eq!(store.commit(&batch).await.unwrap(), applied);
    // Answered from the receipt: asking the guards again would look as if another process had taken the jobs.
    assert_eq!(store.commit(&batch).await.unwrap(), applied);
    assert_eq!(store.waiting("done").await, ["1", "2"]);
}

async fn a09_claims_that_nobody_knows_are_found(store: Fixture) {
    store.push("q", &["1", "2"]).await;
    let owner = store.owner().await;
    let known = store.claim_from(&owner, 1, &["q"], 1).await;
    // The answer of this one never came, and the process forgot that it had asked.
    drop(store.try_claim(&owner, 2, &["q"], 1).await);
    let renewed = store.renew_for(&owner, LEASE, Registration::Known).await;
    assert_eq!(renewed.held, 2);
    let claims = store.claims(&owner, 9).await.unwrap();
    let unknown: Vec<_> = claims
        .into_iter()
        .filter(|claim| !known.contains(claim))
        .collect();
    assert_eq!(payloads(&unknown), ["2"]);
    assert_eq!(
        store.commit_one(hand_back(&owner, &unknown[0])).await,
        TxResult::Applied
    );
    let renewed = store.renew_for(&owner, LEASE, Registration::Known).await;
    assert_eq!(renewed.held, 1);
    assert_eq!(store.waiting("q").await, ["2"]);
}

/// Takes an entry out of the schedule and queues it, patched.
fn promote(from: &Bytes, to: Bytes) -> Tx {
    let set = TimedSet::Schedule;
    let move_it = vec![tail("q", to), take(set, from.clone())];
    Tx::when(contains(set, from.clone()), move_it)
}

async fn a10_promotion_keeps_the_bytes(store: Fixture) {
    // What decoding and encoding again would change: the empty list, the large number, the float, the spaces, the order.
    let payload =
        Bytes::from_static(br#"{"args":[], "n":12345678901234567890,"f":1.0,"a":"\u00e4\/"}"#);
    store
        .apply(vec![timed(
            TimedSet::Schedule,
            store.now(),
            payload.clone(),
        )])
        .await;
    let due = store.due(TimedSet::Schedule, store.now(), 9).await.unwrap();
    assert_eq!(due.entries[0].payload, payload);
    let results = store
        .commit_one(promote(&due.entries[0].payload, payload.clone()))
        .await;
    assert_eq!(results, TxResult::Applied);
    assert!(store.timed(TimedSet::Schedule).await.is_empty());
    let owner = store.owner().await;
    assert_eq!(
        store.claim_from(&owner, 1, &["q"], 1).await[0].payload,
        payload
    );
}

async fn a10_of_two_promoters_one_wins(store: Fixture) {
    let at = store.now();
    store
        .apply(vec![
            timed(TimedSet::Schedule, at, "1"),
            timed(TimedSet::Schedule, at, "2"),
        ])
        .await;
    let one = store.due(TimedSet::Schedule, at, 9).await.unwrap();
    let other = store
        .another_handle()
        .await
        .due(TimedSet::Schedule, at, 9)
        .await
        .unwrap();
    assert_eq!(one, other);
    let promote_all = |due: sancho::store::Due| {
        let entries = due.entries.into_iter();
        entries
            .map(|entry| promote(&entry.payload, entry.payload.clone()))
            .collect()
    };
    assert_eq!(
        store.commit_all(promote_all(one)).await,
        vec![TxResult::Applied; 2]
    );
    assert_eq!(
        store.commit_all(promote_all(other)).await,
        vec![TxResult::Refused { by: 0 }; 2]
    );
    assert_eq!(store.waiting("q").await, ["1", "2"]);
}

async fn a10_an_entry_that_cannot_be_parsed_does_not_block_the_page(store: Fixture) {
    let at = store.now();
    let garbage: Vec<Bytes> = (0..5_u8).map(|n| Bytes::from(vec![0xff, n])).collect();
    store
        .apply(
            garbage
                .iter()
                .map(|bytes| timed(TimedSet::Schedule, at, bytes.clone()))
                .collect(),
        )
        .await;
    let later = at.after(Duration::from_millis(1));
    store
        .apply(vec![timed(TimedSet::Schedule, later, "good")])
        .await;
    let page = store.due(TimedSet::Schedule, later, 5).await.unwrap();
    let bury = |payload: &Bytes| {
        let set = TimedSet::Schedule;
        let bury = vec![
            timed(TimedSet::Dead, at, payload.clone()),
            take(set, payload.clone()),
        ];
        Tx::when(contains(set, payload.clone()), bury)
    };
    store
        .commit_all(
            page.entries
                .iter()
                .map(|entry| bury(&entry.payload))
                .collect(),
        )
        .await;
    let page = store.due(TimedSet::Schedule, later, 5).await.unwrap();
    assert_eq!(page.entries[0].payload, "good");
    let dead: Vec<_> = store
        .timed(TimedSet::Dead)
        .await
        .into_iter()
        .map(|(_, bytes)| bytes)
        .collect();
    assert_eq!(dead, garbage);
}

async fn a11_leases_follow_the_clock_of_the_store(store: Fixture) {
    let owner = store.owner().await;
    let before = store.renew_for(&owner, LEASE, Registration::Known).await;
    // Whatever the clocks of the hosts show: nothing has run out before this one says so, and everybody is told its time.
    store.clock().advance(LEASE);
    let other = Owner::random();
    let after = store.renew_for(&other, LEASE, Registration::First).await;
    assert_eq!(after.now.since(before.now), LEASE);
    assert_eq!(after.expired, [owner]);
}

async fn a12_payload_that_kills_who_takes_it_over(store: Fixture) {
    store.push("q", &["poison"]).await;
    let mut victim = store.owner().await;
    store.claim_from(&victim, 1, &["q"], 1).await;
    for recoveries in 1..=3 {
        store.clock().advance(LEASE);
        let rescuer = store.owner().await;
        // It dies as soon as it looks at the payload, so that it settles nothing: the takeover itself has counted.
        let jobs = store.take_over_from(&rescuer, 1, &victim, 9).await;
        assert_eq!(
            (payloads(&jobs), jobs[0].recoveries),
            (vec!["poison".into()], recoveries)
        );
        assert_eq!(
            store.claims(&rescuer, 9).await.unwrap()[0].recoveries,
            recoveries
        );
        victim = rescuer;
    }
}

async fn a13_takeover_of_a_large_owner(store: Fixture) {
    let count = 2 * MAX_CLAIM + 100;
    let all: Vec<Bytes> = (0..count).map(|n| format!("{n:0100}").into()).collect();
    store
        .apply(
            all.iter()
                .map(|payload| tail("q", payload.clone()))
                .collect(),
        )
        .await;
    let dead = store.owner().await;
    for seq in 1..=3 {
        store.claim_from(&dead, seq, &["q"], MAX_CLAIM).await;
    }
    store.clock().advance(LEASE);
    let rescuer = store.owner().await;
    let mut taken = Vec::new();
    for seq in 1.. {
        let jobs = store.take_over_from(&rescuer, seq, &dead, 300).await;
        assert!(jobs.len() <= 300);
        if jobs.is_empty() {
            break;
        }
        taken.extend(payloads(&jobs));
    }
    assert_eq!(taken, all);
    assert_eq!(store.held_by(&rescuer).await, all);
}

async fn a13_order_survives_a_hand_back(store: Fixture) {
    let all: Vec<Bytes> = (0..200).map(|n| format!("{n:0100}").into()).collect();
    store
        .apply(
            all.iter()
                .map(|payload| tail("q", payload.clone()))
                .collect(),
        )
        .await;
    let dead = store.owner().await;
    store.claim_from(&dead, 1, &["q"], 60).await;
    store.claim_from(&dead, 2, &["q"], 60).await;
    store.clock().advance(LEASE);
    let rescuer = store.owner().await;
    let jobs = store.take_over_from(&rescuer, 1, &dead, 200).await;
    let last_to_first = jobs
        .iter()
        .rev()
        .map(|job| hand_back(&rescuer, job))
        .collect();
    let results = store.commit_all(last_to_first).await;
    assert_eq!(results, vec![TxResult::Applied; 120]);
    assert_eq!(store.waiting("q").await, all);
}

async fn a13_two_rescuers_and_an_owner_in_mid_commit(store: Fixture) {
    store.push("q", &["1", "2", "3", "4"]).await;
    let stalled = store.owner().await;
    let jobs = store.claim_from(&stalled, 1, &["q"], 4).await;
    store.clock().advance(LEASE);
    let (one, other) = (store.owner().await, store.owner().await);
    let first = store.take_over_from(&one, 1, &stalled, 2).await;
    let results = store
        .commit_all(jobs.iter().map(|job| finish(&stalled, job)).collect())
        .await;
    let refused = TxResult::Refused { by: 0 };
    assert_eq!(
        results,
        [
            refused.clone(),
            refused,
            TxResult::Applied,
            TxResult::Applied
        ]
    );
    assert!(
        store
            .take_over_from(&other, 1, &stalled, 9)
            .await
            .is_empty()
    );
    store
        .commit_all(first.iter().map(|job| finish(&one, job)).collect())
        .await;
    assert_eq!(store.waiting("done").await, ["3", "4", "1", "2"]);
    assert_eq!(store.census().await.unwrap().claimed, 0);
}

async fn a14_what_a_refusal_does_happens_in_the_same_step(store: Fixture) {
    // Two jobs, one slot. Who does not get it is parked by the very transaction that was refused, so that the end of the
    // other, whenever it comes, finds it parked.
    store
        .apply(vec![timed(TimedSet::Schedule, store.now(), "slot")])
        .await;
    let set = TimedSet::Schedule;
    let admit = |job: &'static str| Tx {
        when: vec![contains(set, "slot")],
        then: vec![tail("running", job), take(set, "slot")],
        otherwise: vec![tail("parked", job)],
    };
    let results = store.commit_all(vec![admit("1"), admit("2")]).await;
    assert_eq!(results, [TxResult::Applied, TxResult::Refused { by: 0 }]);
    assert_eq!(store.waiting("running").await, ["1"]);
    assert_eq!(store.waiting("parked").await, ["2"]);
}

async fn a15_the_same_bytes_twice_are_one_entry(store: Fixture) {
    let later = store.now().after(Duration::from_secs(1));
    store
        .apply(vec![
            timed(TimedSet::Schedule, later, "1"),
            timed(TimedSet::Schedule, store.now(), "1"),
        ])
        .await;
    assert_eq!(
        store.timed(TimedSet::Schedule).await,
        [(store.now(), "1".into())]
    );
    store.apply(vec![take(TimedSet::Schedule, "1")]).await;
    assert!(store.timed(TimedSet::Schedule).await.is_empty());
}

async fn a17_transaction_of_many_effects(store: Fixture) {
    const MANY: usize = 10_000;
    let all: Vec<Bytes> = (0..MANY).map(|n| n.to_string().into()).collect();
    store
        .apply(
            all.iter()
                .map(|payload| tail("q", payload.clone()))
                .collect(),
        )
        .await;
    assert!(store.waiting("q").await == all);
    let at = store.now();
    store
        .apply(
            all.iter()
                .map(|payload| timed(TimedSet::Dead, at, payload.clone()))
                .collect(),
        )
        .await;
    store
        .apply(
            all.iter()
                .skip(1)
                .map(|payload| take(TimedSet::Dead, payload.clone()))
                .collect(),
        )
        .await;
    assert_eq!(store.timed(TimedSet::Dead).await, [(at, "0".into())]);
}

async fn a17_batch_that_ends_many_claims(store: Fixture) {
    const MANY: usize = 9 * MAX_CLAIM;
    let all: Vec<Bytes> = (0..MANY).map(|n| n.to_string().into()).collect();
    store
        .apply(
            all.iter()
                .map(|payload| tail("q", payload.clone()))
                .collect(),
        )
        .await;
    let owner = store.owner().await;
    for seq in 1..=9 {
        let jobs = store.claim_from(&owner, seq, &["q"], MAX_CLAIM).await;
        assert_eq!(jobs.len(), MAX_CLAIM);
    }
    let held = store.claims(&owner, usize::MAX).await.unwrap();
    assert!(payloads(&held) == all);
    let ack = |job| Tx::when(holds(&owner, job), vec![release(&owner, job)]);
    let results = store.commit_all(held.iter().map(ack).collect()).await;
    assert!(results.iter().all(|result| *result == TxResult::Applied));
    assert_eq!(results.len(), MANY);
    assert_eq!(store.census().await.unwrap().claimed, 0);
}

async fn a18_pause_lets_nothing_through(store: Fixture) {
    store.push("q", &["1", "2"]).await;
    let owner = store.owner().await;
    assert_eq!(store.claim_from(&owner, 1, &["q"], 1).await.len(), 1);
    // Paused by another process, without any heartbeat in between.
    let other = store.another_handle().await;
    let pause = Tx::always(vec![Effect::Join(Members::Paused, "q".into())]);
    let batch = Batch {
        lane: Lane::random(),
        seq: 1,
        txs: vec![pause],
    };
    other.commit(&batch).await.unwrap();
    assert!(store.claim_from(&owner, 2, &["q"], 1).await.is_empty());
    // What was claimed before is finished as ever.
    let jobs = store.claims(&owner, 9).await.unwrap();
    assert_eq!(
        store.commit_one(finish(&owner, &jobs[0])).await,
        TxResult::Applied
    );
}

async fn a19_trim_of_a_large_set(store: Fixture) {
    const MANY: usize = 6_000;
    let at = |n: usize| store.now().after(Duration::from_millis(n as u64));
    let payload = |n: usize| format!("{n:05}");
    let bury = |n| timed(TimedSet::Dead, at(n), payload(n));
    store.apply((0..MANY).map(bury).collect()).await;
    let trim = Effect::Trim {
        set: TimedSet::Dead,
        before: at(1_000),
        keep: 2_000,
    };
    store.apply(vec![trim.clone()]).await;
    let left: Vec<_> = store
        .timed(TimedSet::Dead)
        .await
        .into_iter()
        .map(|(_, bytes)| bytes)
        .collect();
    let newest: Vec<_> = (MANY - 2_000..MANY).map(payload).collect();
    assert!(left == newest);
    // With the entry that makes it too long, in one transaction.
    let results = store.commit_one(Tx::always(vec![bury(MANY), trim])).await;
    assert_eq!(results, TxResult::Applied);
    assert_eq!(store.census().await.unwrap().dead, 2_000);
    assert_eq!(
        store
            .find(TimedSet::Dead, payload(MANY).as_bytes())
            .await
            .unwrap(),
        Some(at(MANY))
    );
}
