//! Taking over the claims of an owner whose lease ran out.

use bytes::Bytes;
use sancho::store::{
    Claim, Claimed, MAX_CLAIM, Owner, Registration, Standing, Token, Tx, TxResult,
};
use sancho_tests::LEASE;
use sancho_tests::effects::{head, holds, release, tail};

use super::{Fixture, Kind};

store_conformance![
    an_owner_whose_lease_runs_is_left_alone,
    an_unknown_owner_gives_nothing,
    an_owner_gives_nothing_to_itself,
    claims_are_taken_over_under_the_tokens_of_the_call,
    claims_are_taken_over_oldest_first_in_bites,
    a_takeover_takes_no_more_than_the_most,
    a_takeover_of_none_still_ends_the_registration,
    every_takeover_adds_a_recovery,
    the_first_bite_ends_the_registration,
    the_bite_that_empties_an_owner_forgets_it,
    only_a_takeover_forgets_an_owner,
    what_is_left_may_still_be_settled_by_its_owner,
    what_was_taken_over_may_no_longer_be_settled_by_its_owner,
    a_revived_owner_is_left_alone,
    two_rescuers_share_what_there_is,
    a_repeated_takeover_gives_the_same_jobs,
    a_repeated_takeover_gives_what_is_still_held,
    a_repeated_takeover_that_found_nothing_still_gives_nothing,
    an_older_takeover_is_stale,
    takeovers_and_claims_share_one_sequence,
    a_rescuer_that_is_not_registered_is_evicted,
    a_rescuer_is_rescued_in_turn,
    queues_stay_with_the_claims,
    a_paused_queue_does_not_hold_up_a_takeover,
];

/// An owner that claimed these payloads one by one and whose lease has run out, and one that lives.
async fn dead_and_alive(store: &Fixture, payloads: &[&'static str]) -> (Owner, Owner) {
    store.push("q", payloads).await;
    let dead = store.owner().await;
    for seq in (1..).take(payloads.len()) {
        store.claim_from(&dead, seq, &["q"], 1).await;
    }
    store.clock().advance(LEASE);
    (dead, store.owner().await)
}

fn payloads(jobs: &[Claimed]) -> Vec<Bytes> {
    jobs.iter().map(|job| job.payload.clone()).collect()
}

async fn an_owner_whose_lease_runs_is_left_alone(store: Fixture) {
    store.push("q", &["1"]).await;
    let (owner, other) = (store.owner().await, store.owner().await);
    store.claim_from(&owner, 1, &["q"], 1).await;
    store
        .clock()
        .advance(LEASE - std::time::Duration::from_millis(1));
    assert!(store.take_over_from(&other, 1, &owner, 9).await.is_empty());
    assert_eq!(store.held_by(&owner).await, ["1"]);
    let renewed = store.renew_for(&owner, LEASE, Registration::Known).await;
    assert_eq!(renewed.standing, Standing::Kept);
}

async fn an_unknown_owner_gives_nothing(store: Fixture) {
    let owner = store.owner().await;
    let unknown = Owner::random();
    assert!(
        store
            .take_over_from(&owner, 1, &unknown, 9)
            .await
            .is_empty()
    );
    assert_eq!(store.owners().await.unwrap().len(), 1);
}

async fn an_owner_gives_nothing_to_itself(store: Fixture) {
    store.push("q", &["1"]).await;
    let owner = store.owner().await;
    store.claim_from(&owner, 1, &["q"], 1).await;
    store.clock().advance(LEASE);
    assert!(store.take_over_from(&owner, 2, &owner, 9).await.is_empty());
    let renewed = store.renew_for(&owner, LEASE, Registration::Known).await;
    assert_eq!((renewed.standing, renewed.held), (Standing::Kept, 1));
    assert_eq!(store.claims(&owner, 9).await.unwrap()[0].recoveries, 0);
}

async fn claims_are_taken_over_under_the_tokens_of_the_call(store: Fixture) {
    let (dead, rescuer) = dead_and_alive(&store, &["1", "2"]).await;
    let jobs = store.take_over_from(&rescuer, 5, &dead, 9).await;
    let expected: Vec<_> = [(0, "1"), (1, "2")]
        .into_iter()
        .map(|(index, payload)| Claimed {
            token: Token::new(5, index),
            queue: "q".into(),
            recoveries: 1,
            payload: payload.into(),
        })
        .collect();
    assert_eq!(jobs, expected);
    assert_eq!(store.claims(&rescuer, 9).await.unwrap(), expected);
    assert!(store.held_by(&dead).await.is_empty());
    let renewed = store.renew_for(&rescuer, LEASE, Registration::Known).await;
    assert_eq!(renewed.held, 2);
}

async fn claims_are_taken_over_oldest_first_in_bites(store: Fixture) {
    let all: Vec<Bytes> = (0..25).map(|n| n.to_string().into()).collect();
    store
        .apply(
            all.iter()
                .map(|payload| tail("q", payload.clone()))
                .collect(),
        )
        .await;
    let dead = store.owner().await;
    // Numbers of different lengths, whose order as text is another one.
    for seq in [1, 2, 9, 10, 100] {
        store.claim_from(&dead, seq, &["q"], 5).await;
    }
    store.clock().advance(LEASE);
    let rescuer = store.owner().await;
    let mut taken = Vec::new();
    for (seq, bite) in (1..).zip([7, 7, 7, 4, 0]) {
        let jobs = store.take_over_from(&rescuer, seq, &dead, 7).await;
        assert_eq!(jobs.len(), bite);
        taken.extend(payloads(&jobs));
    }
    assert_eq!(taken, all);
}

async fn a_takeover_takes_no_more_than_the_most(store: Fixture) {
    store
        .apply(
            (0..MAX_CLAIM + 5)
                .map(|n| tail("q", n.to_string()))
                .collect(),
        )
        .await;
    let dead = store.owner().await;
    store.claim_from(&dead, 1, &["q"], MAX_CLAIM).await;
    store.claim_from(&dead, 2, &["q"], MAX_CLAIM).await;
    store.clock().advance(LEASE);
    let rescuer = store.owner().await;
    let jobs = store.take_over_from(&rescuer, 1, &dead, usize::MAX).await;
    let expected: Vec<Bytes> = (0..MAX_CLAIM).map(|n| n.to_string().into()).collect();
    assert_eq!(payloads(&jobs), expected);
    assert_eq!(
        store
            .take_over_from(&rescuer, 2, &dead, usize::MAX)
            .await
            .len(),
        5
    );
}

async fn a_takeover_of_none_still_ends_the_registration(store: Fixture) {
    let (dead, rescuer) = dead_and_alive(&store, &["1"]).await;
    assert!(store.take_over_from(&rescuer, 1, &dead, 0).await.is_empty());
    assert_eq!(store.try_claim(&dead, 9, &["q"], 1).await, Claim::Evicted);
    assert_eq!(store.held_by(&dead).await, ["1"]);
    assert_eq!(
        payloads(&store.take_over_from(&rescuer, 2, &dead, 9).await),
        ["1"]
    );
}

async fn every_takeover_adds_a_recovery(store: Fixture) {
    let (mut last, mut next) = dead_and_alive(&store, &["1", "2"]).await;
    for recoveries in 1..12 {
        let jobs = store.take_over_from(&next, 1, &last, 9).await;
        assert_eq!(payloads(&jobs), ["1", "2"]);
        assert!(jobs.iter().all(|job| job.recoveries == recoveries));
        store.clock().advance(LEASE);
        last = next;
        next = store.owner().await;
    }
}

async fn the_first_bite_ends_the_registration(store: Fixture) {
    let (dead, rescuer) = dead_and_alive(&store, &["1", "2", "3"]).await;
    store.push("q", &["4"]).await;
    store.take_over_from(&rescuer, 1, &dead, 1).await;
    assert_eq!(store.try_claim(&dead, 4, &["q"], 1).await, Claim::Evicted);
    // Not even its last claim is repeated for it.
    assert_eq!(store.try_claim(&dead, 3, &["q"], 1).await, Claim::Evicted);
    assert_eq!(
        store.try_take_over(&dead, 4, &rescuer, 1).await,
        Claim::Evicted
    );
    let renewed = store.renew_for(&dead, LEASE, Registration::Known).await;
    assert_eq!((renewed.standing, renewed.held), (Standing::Evicted, 2));
    assert_eq!(store.waiting("q").await, ["4"]);
    // The renewal that was refused gave it no lease either.
    assert_eq!(store.take_over_from(&rescuer, 2, &dead, 9).await.len(), 2);
}

async fn the_bite_that_empties_an_owner_forgets_it(store: Fixture) {
    let (dead, rescuer) = dead_and_alive(&store, &["1", "2", "3", "4"]).await;
    let known = async || {
        let owners = store.owners().await.unwrap();
        owners.iter().any(|info| info.owner == dead)
    };
    assert_eq!(store.take_over_from(&rescuer, 1, &dead, 2).await.len(), 2);
    assert!(known().await);
    // Exactly as many as are left: no further call is needed to find out.
    assert_eq!(store.take_over_from(&rescuer, 2, &dead, 2).await.len(), 2);
    assert!(!known().await);
    assert!(store.claims(&dead, 9).await.unwrap().is_empty());
}

async fn only_a_takeover_forgets_an_owner(store: Fixture) {
    let (dead, rescuer) = dead_and_alive(&store, &["1", "2"]).await;
    let known = async || store.owners().await.unwrap().len();
    store.take_over_from(&rescuer, 1, &dead, 1).await;
    let left = store.claims(&dead, 9).await.unwrap();
    store.apply(vec![release(&dead, &left[0])]).await;
    assert_eq!(known().await, 2);
    assert!(store.take_over_from(&rescuer, 2, &dead, 9).await.is_empty());
    assert_eq!(known().await, 1);
}

async fn what_is_left_may_still_be_settled_by_its_owner(store: Fixture) {
    store.push("q", &["1", "2", "3"]).await;
    let dead = store.owner().await;
    let jobs = store.claim_from(&dead, 1, &["q"], 3).await;
    store.clock().advance(LEASE);
    let rescuer = store.owner().await;
    assert_eq!(
        payloads(&store.take_over_from(&rescuer, 1, &dead, 1).await),
        ["1"]
    );
    let finish = |job| Tx::when(holds(&dead, job), vec![release(&dead, job)]);
    let results = store
        .commit_all(vec![finish(&jobs[0]), finish(&jobs[1])])
        .await;
    assert_eq!(results, [TxResult::Refused { by: 0 }, TxResult::Applied]);
    assert_eq!(
        payloads(&store.take_over_from(&rescuer, 2, &dead, 9).await),
        ["3"]
    );
}

async fn what_was_taken_over_may_no_longer_be_settled_by_its_owner(store: Fixture) {
    store.push("q", &["1"]).await;
    let dead = store.owner().await;
    let job = store.claim_from(&dead, 1, &["q"], 1).await.remove(0);
    store.clock().advance(LEASE);
    let rescuer = store.owner().await;
    let rescued = store.take_over_from(&rescuer, 1, &dead, 9).await.remove(0);
    let finish = |owner, job| {
        Tx::when(
            holds(owner, job),
            vec![tail("done", "1"), release(owner, job)],
        )
    };
    assert_eq!(
        store.commit_one(finish(&dead, &job)).await,
        TxResult::Refused { by: 0 }
    );
    assert_eq!(
        store.commit_one(finish(&rescuer, &rescued)).await,
        TxResult::Applied
    );
    assert_eq!(store.waiting("done").await, ["1"]);
}

async fn a_revived_owner_is_left_alone(store: Fixture) {
    let (dead, rescuer) = dead_and_alive(&store, &["1"]).await;
    // Between the renewal that named it and the takeover, it came back.
    store.renew_for(&dead, LEASE, Registration::Known).await;
    assert!(store.take_over_from(&rescuer, 1, &dead, 9).await.is_empty());
    assert_eq!(store.held_by(&dead).await, ["1"]);
}

async fn two_rescuers_share_what_there_is(store: Fixture) {
    let (dead, one) = dead_and_alive(&store, &["1", "2", "3"]).await;
    let other = store.owner().await;
    assert_eq!(
        payloads(&store.take_over_from(&one, 1, &dead, 2).await),
        ["1", "2"]
    );
    assert_eq!(
        payloads(&store.take_over_from(&other, 1, &dead, 2).await),
        ["3"]
    );
    assert!(store.take_over_from(&one, 2, &dead, 2).await.is_empty());
    assert_eq!(store.held_by(&one).await, ["1", "2"]);
}

async fn a_repeated_takeover_gives_the_same_jobs(store: Fixture) {
    let (dead, rescuer) = dead_and_alive(&store, &["1", "2", "3"]).await;
    let jobs = store.take_over_from(&rescuer, 1, &dead, 2).await;
    for _ in 0..3 {
        assert_eq!(store.take_over_from(&rescuer, 1, &dead, 2).await, jobs);
    }
    assert_eq!(
        payloads(&store.take_over_from(&rescuer, 2, &dead, 2).await),
        ["3"]
    );
    assert_eq!(
        store.take_over_from(&rescuer, 2, &dead, 2).await[0].recoveries,
        1
    );
}

async fn a_repeated_takeover_gives_what_is_still_held(store: Fixture) {
    let (dead, rescuer) = dead_and_alive(&store, &["1", "2"]).await;
    let jobs = store.take_over_from(&rescuer, 1, &dead, 9).await;
    store
        .apply(vec![head("q", "1"), release(&rescuer, &jobs[0])])
        .await;
    assert_eq!(
        payloads(&store.take_over_from(&rescuer, 1, &dead, 9).await),
        ["2"]
    );
}

async fn a_repeated_takeover_that_found_nothing_still_gives_nothing(store: Fixture) {
    store.push("q", &["1"]).await;
    let (dead, rescuer) = (store.owner().await, store.owner().await);
    store.claim_from(&dead, 1, &["q"], 1).await;
    assert!(store.take_over_from(&rescuer, 1, &dead, 9).await.is_empty());
    store.clock().advance(LEASE);
    assert!(store.take_over_from(&rescuer, 1, &dead, 9).await.is_empty());
    assert_eq!(store.take_over_from(&rescuer, 2, &dead, 9).await.len(), 1);
}

async fn an_older_takeover_is_stale(store: Fixture) {
    let (dead, rescuer) = dead_and_alive(&store, &["1", "2"]).await;
    store.take_over_from(&rescuer, 5, &dead, 1).await;
    assert_eq!(
        store.try_take_over(&rescuer, 4, &dead, 1).await,
        Claim::Stale
    );
    assert_eq!(store.held_by(&dead).await, ["2"]);
    assert_eq!(store.held_by(&rescuer).await, ["1"]);
}

async fn takeovers_and_claims_share_one_sequence(store: Fixture) {
    let (dead, rescuer) = dead_and_alive(&store, &["1", "2"]).await;
    store.push("q", &["3", "4"]).await;
    assert_eq!(
        payloads(&store.claim_from(&rescuer, 1, &["q"], 1).await),
        ["3"]
    );
    assert_eq!(
        payloads(&store.take_over_from(&rescuer, 2, &dead, 1).await),
        ["1"]
    );
    assert_eq!(store.try_claim(&rescuer, 1, &["q"], 1).await, Claim::Stale);
    assert_eq!(
        payloads(&store.claim_from(&rescuer, 3, &["q"], 1).await),
        ["4"]
    );
    assert_eq!(
        store.try_take_over(&rescuer, 2, &dead, 1).await,
        Claim::Stale
    );
    // A takeover that finds nothing has used its number too.
    assert_eq!(
        store.take_over_from(&rescuer, 9, &Owner::random(), 1).await,
        []
    );
    assert_eq!(store.try_claim(&rescuer, 8, &["q"], 1).await, Claim::Stale);
    assert_eq!(store.held_by(&rescuer).await, ["3", "1", "4"]);
}

async fn a_rescuer_that_is_not_registered_is_evicted(store: Fixture) {
    let (dead, _) = dead_and_alive(&store, &["1"]).await;
    let stranger = Owner::random();
    assert_eq!(
        store.try_take_over(&stranger, 1, &dead, 9).await,
        Claim::Evicted
    );
    assert_eq!(store.held_by(&dead).await, ["1"]);
    let renewed = store.renew_for(&dead, LEASE, Registration::Known).await;
    assert_eq!(renewed.standing, Standing::Kept);
}

async fn a_rescuer_is_rescued_in_turn(store: Fixture) {
    let (dead, rescuer) = dead_and_alive(&store, &["1", "2", "3"]).await;
    store.take_over_from(&rescuer, 1, &dead, 2).await;
    store.clock().advance(LEASE);
    let last = store.owner().await;
    let renewed = store.renew_for(&last, LEASE, Registration::Known).await;
    assert_eq!(renewed.expired, [dead.clone(), rescuer.clone()]);
    let recoveries = |jobs: Vec<Claimed>| jobs.iter().map(|job| job.recoveries).collect::<Vec<_>>();
    assert_eq!(
        recoveries(store.take_over_from(&last, 1, &dead, 9).await),
        [1]
    );
    assert_eq!(
        recoveries(store.take_over_from(&last, 2, &rescuer, 9).await),
        [2, 2]
    );
    assert_eq!(store.held_by(&last).await, ["3", "1", "2"]);
}

async fn queues_stay_with_the_claims(store: Fixture) {
    let names = ["a b", "c:d", "12:e", "käse"];
    for name in names {
        store.push(name, &["1"]).await;
    }
    let dead = store.owner().await;
    store.claim_from(&dead, 1, &names, 9).await;
    store.clock().advance(LEASE);
    let rescuer = store.owner().await;
    let jobs = store.take_over_from(&rescuer, 1, &dead, 9).await;
    let queues: Vec<_> = jobs.iter().map(|job| &*job.queue).collect();
    assert_eq!(queues, names);
}

async fn a_paused_queue_does_not_hold_up_a_takeover(store: Fixture) {
    let (dead, rescuer) = dead_and_alive(&store, &["1"]).await;
    let pause = sancho::store::Effect::Join(sancho::store::Members::Paused, "q".into());
    store.apply(vec![pause]).await;
    assert_eq!(store.take_over_from(&rescuer, 1, &dead, 9).await.len(), 1);
}
