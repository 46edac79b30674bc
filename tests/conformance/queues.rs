//! Where payloads stand in queues, and that they stay what they are.

use bytes::Bytes;
use sancho::store::{
    Claim, ClaimRequest, Effect, Guard, Members, PlaceName, TimedSet, Tx, TxResult,
};
use sancho_tests::effects::{head, release, strictly, tail, timed};

use super::{Fixture, Kind};

store_conformance![
    the_tail_runs_after_everything_that_waits,
    the_head_runs_next,
    effects_at_both_ends_happen_in_order,
    equal_payloads_wait_as_often_as_they_were_put,
    of_equal_payloads_the_last_is_taken,
    a_job_is_moved_to_the_head,
    putting_makes_the_queue_known,
    a_queue_that_ran_empty_can_be_filled_again,
    a_queue_that_was_taken_from_in_the_middle_of_its_growth_keeps_its_order,
    a_queue_name_may_be_any_text,
    queue_names_that_look_alike_are_different,
    a_payload_may_be_any_bytes,
    a_payload_may_be_large,
];

async fn the_tail_runs_after_everything_that_waits(store: Fixture) {
    store.push("q", &["1", "2"]).await;
    store.push("q", &["3"]).await;
    assert_eq!(store.waiting("q").await, ["1", "2", "3"]);
}

async fn the_head_runs_next(store: Fixture) {
    store.push("q", &["2"]).await;
    store.apply(vec![head("q", "1")]).await;
    store.apply(vec![head("q", "0")]).await;
    assert_eq!(store.waiting("q").await, ["0", "1", "2"]);
    let owner = store.owner().await;
    let jobs = store.claim_from(&owner, 1, &["q"], 1).await;
    assert_eq!(jobs[0].payload, "0");
}

async fn effects_at_both_ends_happen_in_order(store: Fixture) {
    let effects = vec![
        head("q", "3"),
        tail("q", "4"),
        head("q", "2"),
        tail("q", "5"),
        head("q", "1"),
    ];
    store.apply(effects).await;
    assert_eq!(store.waiting("q").await, ["1", "2", "3", "4", "5"]);
}

async fn equal_payloads_wait_as_often_as_they_were_put(store: Fixture) {
    store.push("q", &["same", "other", "same"]).await;
    assert_eq!(store.waiting("q").await, ["same", "other", "same"]);
    let owner = store.owner().await;
    assert_eq!(store.claim_from(&owner, 1, &["q"], 9).await.len(), 3);
}

async fn of_equal_payloads_the_last_is_taken(store: Fixture) {
    store.push("q", &["same", "other", "same", "end"]).await;
    let take = Effect::Take(PlaceName::queue("q"), "same".into());
    store.apply(vec![take.clone()]).await;
    assert_eq!(store.waiting("q").await, ["same", "other", "end"]);
    store.apply(vec![take.clone()]).await;
    store.apply(vec![take]).await;
    assert_eq!(store.waiting("q").await, ["other", "end"]);
}

async fn a_job_is_moved_to_the_head(store: Fixture) {
    store.push("q", &["1", "2", "3"]).await;
    let moved = |payload: &'static str| Tx {
        when: vec![Guard::Contains(PlaceName::queue("q"), payload.into())],
        then: vec![
            head("q", payload),
            Effect::Take(PlaceName::queue("q"), payload.into()),
        ],
        otherwise: Vec::new(),
    };
    assert_eq!(store.commit_one(moved("3")).await, TxResult::Applied);
    assert_eq!(store.waiting("q").await, ["3", "1", "2"]);
    assert_eq!(store.commit_one(moved("3")).await, TxResult::Applied);
    assert_eq!(store.waiting("q").await, ["3", "1", "2"]);
    let refused = TxResult::Refused { by: 0 };
    assert_eq!(store.commit_one(moved("4")).await, refused);
}

async fn putting_makes_the_queue_known(store: Fixture) {
    assert!(store.members(Members::Queues).await.unwrap().is_empty());
    store.push("b", &["1"]).await;
    store.apply(vec![head("a", "2")]).await;
    store
        .apply(vec![timed(TimedSet::Schedule, store.now(), "3")])
        .await;
    assert_eq!(store.members(Members::Queues).await.unwrap(), ["a", "b"]);
    let owner = store.owner().await;
    store.claim_from(&owner, 1, &["a", "b"], 9).await;
    assert_eq!(store.members(Members::Queues).await.unwrap(), ["a", "b"]);
}

async fn a_queue_that_ran_empty_can_be_filled_again(store: Fixture) {
    let owner = store.owner().await;
    for seq in 1..4 {
        store.push("q", &["1", "2"]).await;
        store.apply(vec![head("q", "0")]).await;
        let jobs = store.claim_from(&owner, seq, &["q"], 9).await;
        let payloads: Vec<_> = jobs.into_iter().map(|job| job.payload).collect();
        assert_eq!(payloads, ["0", "1", "2"]);
        assert!(store.waiting("q").await.is_empty());
    }
}

async fn a_queue_that_was_taken_from_in_the_middle_of_its_growth_keeps_its_order(store: Fixture) {
    let owner = store.owner().await;
    store.apply(vec![head("q", "2"), head("q", "1")]).await;
    assert_eq!(store.claim_from(&owner, 1, &["q"], 1).await[0].payload, "1");
    store.apply(vec![head("q", "1"), tail("q", "3")]).await;
    assert_eq!(store.waiting("q").await, ["1", "2", "3"]);
    assert_eq!(store.claim_from(&owner, 2, &["q"], 9).await.len(), 3);
    store
        .apply(vec![tail("q", "5"), head("q", "4"), tail("q", "6")])
        .await;
    assert_eq!(store.waiting("q").await, ["4", "5", "6"]);
}

async fn a_queue_name_may_be_any_text(store: Fixture) {
    let names = [
        "with space",
        "a:b:c",
        "käse-チーズ",
        "*",
        "q?",
        "[ab]",
        "%",
        "_",
        "'",
        "\"",
        "\\",
        "{x}",
    ];
    for name in names {
        store.apply(vec![tail(name, name)]).await;
    }
    let mut known = names.map(str::to_owned);
    known.sort();
    assert_eq!(store.members(Members::Queues).await.unwrap(), known);
    let owner = store.owner().await;
    for (seq, name) in (1..).zip(names) {
        assert_eq!(store.waiting(name).await, [name]);
        let jobs = store.claim_from(&owner, seq, &[name], 9).await;
        assert_eq!(
            (&*jobs[0].queue, &*jobs[0].payload, jobs.len()),
            (name, name.as_bytes(), 1)
        );
    }
    let held = store.claims(&owner, 100).await.unwrap();
    let queues: Vec<_> = held.iter().map(|claim| &*claim.queue).collect();
    assert_eq!(queues, names);
}

async fn queue_names_that_look_alike_are_different(store: Fixture) {
    for name in ["q", "Q", "q ", " q", "q:q", "queue:q"] {
        store.apply(vec![tail(name, name)]).await;
    }
    let owner = store.owner().await;
    let jobs = store.claim_from(&owner, 1, &["q"], 9).await;
    assert_eq!(jobs.len(), 1);
    assert_eq!(store.waiting("Q").await, ["Q"]);
    assert_eq!(store.waiting("q ").await, ["q "]);
    assert_eq!(store.waiting("queue:q").await, ["queue:q"]);
}

async fn a_payload_may_be_any_bytes(store: Fixture) {
    let payloads: Vec<Bytes> = vec![
        Bytes::new(),
        Bytes::from_static(b"\0"),
        Bytes::from_static(b"a\0b"),
        Bytes::from_static(b"\xff\xfe\x80"),
        Bytes::from_static(b"\r\n$5\r\n"),
        Bytes::from_static(b"12:34:x"),
        Bytes::from_static(b"1e3"),
        Bytes::from_static("{\"täxt\":\u{1f980}}".as_bytes()),
        (0..=255).collect(),
    ];
    store
        .apply(
            payloads
                .iter()
                .map(|payload| tail("q", payload.clone()))
                .collect(),
        )
        .await;
    assert_eq!(store.waiting("q").await, payloads);

    let owner = store.owner().await;
    let jobs = store.claim_from(&owner, 1, &["q"], 99).await;
    let claimed: Vec<_> = jobs.iter().map(|job| job.payload.clone()).collect();
    assert_eq!(claimed, payloads);
    assert_eq!(store.held_by(&owner).await, payloads);

    let at = store.now();
    for job in &jobs {
        let payload = job.payload.clone();
        store
            .apply(vec![
                timed(TimedSet::Dead, at, payload.clone()),
                release(&owner, job),
            ])
            .await;
        assert_eq!(
            store.find(TimedSet::Dead, &payload).await.unwrap(),
            Some(at)
        );
    }
    let mut sorted = payloads;
    sorted.sort();
    let dead: Vec<_> = store
        .timed(TimedSet::Dead)
        .await
        .into_iter()
        .map(|(_, payload)| payload)
        .collect();
    assert_eq!(dead, sorted);
}

async fn a_payload_may_be_large(store: Fixture) {
    let large: Bytes = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    store
        .apply(vec![
            tail("q", large.clone()),
            timed(TimedSet::Retry, store.now(), large.clone()),
        ])
        .await;
    let owner = store.owner().await;
    let request = ClaimRequest {
        owner: owner.clone(),
        seq: 1,
        sources: strictly(&["q"]),
        limit: 1,
    };
    let Claim::Taken { jobs, .. } = store.claim(&request).await.unwrap() else {
        panic!("the owner is registered");
    };
    assert!(jobs[0].payload == large);
    assert!(store.timed(TimedSet::Retry).await[0].1 == large);
    assert!(store.held_by(&owner).await[0] == large);
}
