//! Claiming: which jobs, in which order, under which tokens, and what a repeat gives.

use std::collections::HashSet;
use std::sync::Arc;

use sancho::store::{
    Batch, Claim, ClaimRequest, Claimed, Commit, Effect, Lane, MAX_CLAIM, Members, Owner, Source,
    Token, Tx, TxResult,
};
use sancho_tests::LEASE;
use sancho_tests::effects::{head, release, shares, strictly, tail};

use super::{Fixture, Kind};

store_conformance![
    a_claim_takes_from_the_head_under_the_tokens_of_its_call,
    a_claim_takes_at_most_its_limit,
    a_claim_of_none_takes_none,
    a_claim_from_nowhere_takes_none,
    a_claim_from_empty_and_unknown_queues_takes_none,
    a_claim_takes_no_more_than_the_most,
    without_shares_the_order_is_strict,
    shares_come_first_and_then_the_order,
    a_share_that_a_queue_cannot_fill_goes_to_the_first,
    shares_that_exceed_the_limit_are_cut_in_order,
    a_queue_that_is_named_twice_gives_twice,
    a_claimed_job_stands_nowhere_else,
    two_owners_never_get_the_same_job,
    handles_that_claim_at_once_never_get_the_same_job,
    a_repeated_claim_gives_the_same_jobs,
    a_repeated_claim_gives_what_is_still_held,
    a_repeated_claim_that_found_nothing_still_gives_nothing,
    a_repeated_claim_through_another_handle_gives_the_same_jobs,
    an_older_claim_is_stale_and_takes_nothing,
    sequence_numbers_may_leave_gaps,
    each_owner_has_its_own_sequence,
    an_owner_that_never_registered_is_evicted,
    a_lease_that_ran_out_alone_does_not_evict,
    a_paused_queue_gives_nothing,
    a_paused_queue_gives_nothing_of_its_share_either,
    a_resumed_queue_gives_again,
    a_paused_queue_may_still_be_pushed_to,
    tokens_grow_as_claims_are_made,
    a_job_put_back_is_claimed_under_a_new_token,
    a_turn_commits_and_then_claims,
    a_repeated_turn_gives_the_same_answers,
    the_halves_of_a_turn_are_independent,
];

/// The payloads of what was claimed, with their queues.
fn names(jobs: &[Claimed]) -> Vec<String> {
    jobs.iter()
        .map(|job| format!("{}:{}", job.queue, String::from_utf8_lossy(&job.payload)))
        .collect()
}

async fn claim(
    store: &Fixture,
    owner: &Owner,
    seq: u64,
    sources: Vec<Source>,
    limit: usize,
) -> Vec<String> {
    let request = ClaimRequest {
        owner: owner.clone(),
        seq,
        sources,
        limit,
    };
    match store.claim(&request).await.unwrap() {
        Claim::Taken {
            jobs,
            unusable_queues,
        } => {
            assert!(unusable_queues.is_empty());
            names(&jobs)
        }
        other => panic!("the claim came to {other:?}"),
    }
}

async fn pause(store: &Fixture, queue: &str) {
    store
        .apply(vec![Effect::Join(Members::Paused, queue.into())])
        .await;
}

async fn a_claim_takes_from_the_head_under_the_tokens_of_its_call(store: Fixture) {
    store.push("q", &["1", "2", "3"]).await;
    let owner = store.owner().await;
    let jobs = store.claim_from(&owner, 7, &["q"], 2).await;
    let expected: Vec<_> = [(0, "1"), (1, "2")]
        .into_iter()
        .map(|(index, payload)| Claimed {
            token: Token::new(7, index),
            queue: "q".into(),
            recoveries: 0,
            payload: payload.into(),
        })
        .collect();
    assert_eq!(jobs, expected);
    assert_eq!(store.claims(&owner, 9).await.unwrap(), expected);
    assert_eq!(store.waiting("q").await, ["3"]);
}

async fn a_claim_takes_at_most_its_limit(store: Fixture) {
    store.push("a", &["1", "2"]).await;
    store.push("b", &["3", "4"]).await;
    let owner = store.owner().await;
    assert_eq!(
        claim(&store, &owner, 1, strictly(&["a", "b"]), 3).await,
        ["a:1", "a:2", "b:3"]
    );
    assert_eq!(
        claim(&store, &owner, 2, strictly(&["a", "b"]), 3).await,
        ["b:4"]
    );
}

async fn a_claim_of_none_takes_none(store: Fixture) {
    store.push("a", &["1"]).await;
    let owner = store.owner().await;
    assert!(store.claim_from(&owner, 1, &["a"], 0).await.is_empty());
    assert!(
        claim(&store, &owner, 2, shares(&[("a", 1)]), 0)
            .await
            .is_empty()
    );
    assert_eq!(store.waiting("a").await, ["1"]);
}

async fn a_claim_from_nowhere_takes_none(store: Fixture) {
    store.push("a", &["1"]).await;
    let owner = store.owner().await;
    assert!(store.claim_from(&owner, 1, &[], 5).await.is_empty());
}

async fn a_claim_from_empty_and_unknown_queues_takes_none(store: Fixture) {
    store.push("a", &["1"]).await;
    let owner = store.owner().await;
    assert_eq!(
        store
            .claim_from(&owner, 1, &["none", "a", "nor this"], 5)
            .await
            .len(),
        1
    );
    assert!(
        store
            .claim_from(&owner, 2, &["none", "a", "nor this"], 5)
            .await
            .is_empty()
    );
    assert_eq!(store.members(Members::Queues).await.unwrap(), ["a"]);
}

async fn a_claim_takes_no_more_than_the_most(store: Fixture) {
    let payload = |n: usize| n.to_string();
    store
        .apply((0..MAX_CLAIM + 5).map(|n| tail("q", payload(n))).collect())
        .await;
    let owner = store.owner().await;
    let jobs = store.claim_from(&owner, 1, &["q"], usize::MAX).await;
    let expected: Vec<_> = (0..MAX_CLAIM).map(|n| format!("q:{n}")).collect();
    assert_eq!(names(&jobs), expected);
    assert_eq!(store.claim_from(&owner, 1, &["q"], usize::MAX).await, jobs);
    assert_eq!(
        store.claim_from(&owner, 2, &["q"], MAX_CLAIM).await.len(),
        5
    );
}

async fn without_shares_the_order_is_strict(store: Fixture) {
    store.push("low", &["1", "2"]).await;
    store.push("high", &["3", "4"]).await;
    let owner = store.owner().await;
    let jobs = claim(&store, &owner, 1, strictly(&["high", "low"]), 3).await;
    assert_eq!(jobs, ["high:3", "high:4", "low:1"]);
}

async fn shares_come_first_and_then_the_order(store: Fixture) {
    store.push("a", &["1", "2", "3", "4", "5"]).await;
    store.push("b", &["1", "2", "3", "4", "5"]).await;
    store.push("c", &["1", "2", "3", "4", "5"]).await;
    let owner = store.owner().await;
    let sources = shares(&[("a", 2), ("b", 1), ("c", 0)]);
    let jobs = claim(&store, &owner, 1, sources, 10).await;
    assert_eq!(
        jobs,
        [
            "a:1", "a:2", "b:1", "a:3", "a:4", "a:5", "b:2", "b:3", "b:4", "b:5"
        ]
    );
}

async fn a_share_that_a_queue_cannot_fill_goes_to_the_first(store: Fixture) {
    store.push("a", &["1", "2", "3", "4", "5"]).await;
    store.push("c", &["1", "2", "3"]).await;
    let owner = store.owner().await;
    let sources = shares(&[("a", 1), ("b", 3), ("c", 1)]);
    assert_eq!(
        claim(&store, &owner, 1, sources, 5).await,
        ["a:1", "c:1", "a:2", "a:3", "a:4"]
    );
}

async fn shares_that_exceed_the_limit_are_cut_in_order(store: Fixture) {
    store.push("a", &["1", "2", "3"]).await;
    store.push("b", &["1", "2", "3"]).await;
    let owner = store.owner().await;
    let sources = shares(&[("a", 2), ("b", 2)]);
    assert_eq!(
        claim(&store, &owner, 1, sources, 3).await,
        ["a:1", "a:2", "b:1"]
    );
}

async fn a_queue_that_is_named_twice_gives_twice(store: Fixture) {
    store.push("a", &["1", "2", "3", "4"]).await;
    store.push("b", &["1", "2"]).await;
    let owner = store.owner().await;
    let sources = shares(&[("a", 1), ("b", 1), ("a", 1)]);
    assert_eq!(
        claim(&store, &owner, 1, sources, 4).await,
        ["a:1", "b:1", "a:2", "a:3"]
    );
}

async fn a_claimed_job_stands_nowhere_else(store: Fixture) {
    store.push("q", &["1", "2"]).await;
    let (one, other) = (store.owner().await, store.owner().await);
    store.claim_from(&one, 1, &["q"], 1).await;
    let census = store.census().await.unwrap();
    assert_eq!((census.claimed, census.queues[0].size), (1, 1));
    assert_eq!(store.held_by(&one).await, ["1"]);
    assert!(store.held_by(&other).await.is_empty());
    assert_eq!(store.waiting("q").await, ["2"]);
}

async fn two_owners_never_get_the_same_job(store: Fixture) {
    store.push("q", &["1", "2", "3"]).await;
    let (one, other) = (store.owner().await, store.owner().await);
    assert_eq!(
        names(&store.claim_from(&one, 1, &["q"], 2).await),
        ["q:1", "q:2"]
    );
    assert_eq!(
        names(&store.claim_from(&other, 1, &["q"], 2).await),
        ["q:3"]
    );
    assert!(store.claim_from(&one, 2, &["q"], 2).await.is_empty());
}

async fn handles_that_claim_at_once_never_get_the_same_job(store: Fixture) {
    const JOBS: usize = 400;
    store
        .apply((0..JOBS).map(|n| tail("q", n.to_string())).collect())
        .await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (handle, owner) = (store.another_handle().await, store.owner().await);
        tasks.spawn(async move {
            let mut got = Vec::new();
            for seq in 1.. {
                let request = ClaimRequest {
                    owner: owner.clone(),
                    seq,
                    sources: strictly(&["q"]),
                    limit: 7,
                };
                match handle.claim(&request).await.unwrap() {
                    Claim::Taken { jobs, .. } if jobs.is_empty() => break,
                    Claim::Taken { jobs, .. } => {
                        got.extend(jobs.into_iter().map(|job| job.payload));
                    }
                    other => panic!("the claim came to {other:?}"),
                }
            }
            got
        });
    }
    let claimed = tasks.join_all().await.concat();
    assert_eq!(claimed.len(), JOBS);
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>().len(), JOBS);
}

async fn a_repeated_claim_gives_the_same_jobs(store: Fixture) {
    store.push("q", &["1", "2", "3"]).await;
    let owner = store.owner().await;
    let first = store.claim_from(&owner, 1, &["q"], 2).await;
    for _ in 0..3 {
        assert_eq!(store.claim_from(&owner, 1, &["q"], 2).await, first);
    }
    // Whatever else the repeat asks.
    assert_eq!(store.claim_from(&owner, 1, &["other"], 99).await, first);
    assert_eq!(store.waiting("q").await, ["3"]);
}

async fn a_repeated_claim_gives_what_is_still_held(store: Fixture) {
    store.push("q", &["1", "2", "3", "4"]).await;
    let owner = store.owner().await;
    let jobs = store.claim_from(&owner, 1, &["q"], 3).await;
    store.apply(vec![release(&owner, &jobs[1])]).await;
    assert_eq!(
        names(&store.claim_from(&owner, 1, &["q"], 3).await),
        ["q:1", "q:3"]
    );
    store
        .apply(vec![release(&owner, &jobs[0]), release(&owner, &jobs[2])])
        .await;
    assert!(store.claim_from(&owner, 1, &["q"], 3).await.is_empty());
    assert_eq!(store.waiting("q").await, ["4"]);
}

async fn a_repeated_claim_that_found_nothing_still_gives_nothing(store: Fixture) {
    let owner = store.owner().await;
    assert!(store.claim_from(&owner, 1, &["q"], 3).await.is_empty());
    store.push("q", &["1"]).await;
    assert!(store.claim_from(&owner, 1, &["q"], 3).await.is_empty());
    assert_eq!(
        names(&store.claim_from(&owner, 2, &["q"], 3).await),
        ["q:1"]
    );
}

async fn a_repeated_claim_through_another_handle_gives_the_same_jobs(store: Fixture) {
    store.push("q", &["1", "2"]).await;
    let owner = store.owner().await;
    let first = store.try_claim(&owner, 1, &["q"], 1).await;
    let request = ClaimRequest {
        owner,
        seq: 1,
        sources: strictly(&["q"]),
        limit: 1,
    };
    assert_eq!(
        store.another_handle().await.claim(&request).await.unwrap(),
        first
    );
}

async fn an_older_claim_is_stale_and_takes_nothing(store: Fixture) {
    store.push("q", &["1", "2", "3"]).await;
    let owner = store.owner().await;
    store.claim_from(&owner, 1, &["q"], 1).await;
    store.claim_from(&owner, 3, &["q"], 1).await;
    assert_eq!(store.try_claim(&owner, 1, &["q"], 1).await, Claim::Stale);
    assert_eq!(store.try_claim(&owner, 2, &["q"], 1).await, Claim::Stale);
    assert_eq!(store.waiting("q").await, ["3"]);
    assert_eq!(store.held_by(&owner).await, ["1", "2"]);
}

async fn sequence_numbers_may_leave_gaps(store: Fixture) {
    store.push("q", &["1", "2"]).await;
    let owner = store.owner().await;
    for (seq, payload) in [(5, "q:1"), (1_000_000, "q:2")] {
        let jobs = store.claim_from(&owner, seq, &["q"], 1).await;
        assert_eq!(names(&jobs), [payload]);
        assert_eq!(jobs[0].token, Token::new(seq, 0));
        assert_eq!(store.claim_from(&owner, seq, &["q"], 1).await, jobs);
    }
}

async fn each_owner_has_its_own_sequence(store: Fixture) {
    store.push("q", &["1", "2", "3"]).await;
    let (one, other) = (store.owner().await, store.owner().await);
    assert_eq!(names(&store.claim_from(&one, 9, &["q"], 1).await), ["q:1"]);
    assert_eq!(
        names(&store.claim_from(&other, 1, &["q"], 1).await),
        ["q:2"]
    );
    assert_eq!(names(&store.claim_from(&one, 9, &["q"], 1).await), ["q:1"]);
}

async fn an_owner_that_never_registered_is_evicted(store: Fixture) {
    store.push("q", &["1"]).await;
    let owner = Owner::random();
    assert_eq!(store.try_claim(&owner, 1, &["q"], 1).await, Claim::Evicted);
    assert_eq!(store.waiting("q").await, ["1"]);
    assert!(store.held_by(&owner).await.is_empty());
    assert!(store.owners().await.unwrap().is_empty());
}

async fn a_lease_that_ran_out_alone_does_not_evict(store: Fixture) {
    store.push("q", &["1"]).await;
    let owner = store.owner().await;
    store.clock().advance(LEASE * 2);
    assert_eq!(
        names(&store.claim_from(&owner, 1, &["q"], 1).await),
        ["q:1"]
    );
}

async fn a_paused_queue_gives_nothing(store: Fixture) {
    store.push("a", &["1"]).await;
    store.push("b", &["2"]).await;
    pause(&store, "a").await;
    let owner = store.owner().await;
    assert_eq!(
        claim(&store, &owner, 1, strictly(&["a", "b"]), 5).await,
        ["b:2"]
    );
    assert_eq!(store.waiting("a").await, ["1"]);
}

async fn a_paused_queue_gives_nothing_of_its_share_either(store: Fixture) {
    store.push("a", &["1", "2"]).await;
    store.push("b", &["1", "2"]).await;
    pause(&store, "a").await;
    let owner = store.owner().await;
    let sources = shares(&[("a", 2), ("b", 1)]);
    assert_eq!(claim(&store, &owner, 1, sources, 4).await, ["b:1", "b:2"]);
}

async fn a_resumed_queue_gives_again(store: Fixture) {
    store.push("a", &["1"]).await;
    pause(&store, "a").await;
    pause(&store, "other").await;
    let owner = store.owner().await;
    assert!(store.claim_from(&owner, 1, &["a"], 5).await.is_empty());
    store
        .apply(vec![Effect::Leave(Members::Paused, "a".into())])
        .await;
    assert_eq!(store.claim_from(&owner, 2, &["a"], 5).await.len(), 1);
}

async fn a_paused_queue_may_still_be_pushed_to(store: Fixture) {
    pause(&store, "a").await;
    store.push("a", &["1"]).await;
    store.apply(vec![head("a", "0")]).await;
    assert_eq!(store.waiting("a").await, ["0", "1"]);
}

async fn tokens_grow_as_claims_are_made(store: Fixture) {
    let payloads: Vec<_> = (0..30).map(|n| n.to_string()).collect();
    store
        .apply(
            payloads
                .iter()
                .map(|payload| tail("q", payload.clone()))
                .collect(),
        )
        .await;
    let owner = store.owner().await;
    // Numbers of different lengths, whose order as text is another one.
    for seq in [1, 2, 9, 10, 99, 100] {
        store.claim_from(&owner, seq, &["q"], 5).await;
    }
    let claims = store.claims(&owner, 99).await.unwrap();
    assert!(claims.is_sorted_by_key(|claim| claim.token));
    let held: Vec<_> = claims.into_iter().map(|claim| claim.payload).collect();
    assert_eq!(held, payloads);
}

async fn a_job_put_back_is_claimed_under_a_new_token(store: Fixture) {
    store.push("q", &["1", "2"]).await;
    let owner = store.owner().await;
    let job = store.claim_from(&owner, 1, &["q"], 1).await.remove(0);
    store
        .apply(vec![head("q", job.payload.clone()), release(&owner, &job)])
        .await;
    assert_eq!(store.waiting("q").await, ["1", "2"]);
    let again = store.claim_from(&owner, 2, &["q"], 1).await.remove(0);
    assert_eq!(
        (again.payload, again.token),
        (job.payload, Token::new(2, 0))
    );
}

/// A batch that pushes one payload, and the claim that goes with it.
fn push_and_claim(owner: &Owner, seq: u64, payload: &'static str) -> (Batch, ClaimRequest) {
    let lane = Lane::from_text(owner.as_str());
    let txs = vec![Tx::always(vec![tail("q", payload)])];
    let batch = Batch { lane, seq, txs };
    (
        batch,
        ClaimRequest {
            owner: owner.clone(),
            seq,
            sources: strictly(&["q"]),
            limit: 5,
        },
    )
}

async fn a_turn_commits_and_then_claims(store: Fixture) {
    let owner = store.owner().await;
    let (batch, request) = push_and_claim(&owner, 1, "1");
    let (commit, claim) = store.turn(&batch, &request).await.unwrap();
    assert_eq!(commit, Commit::Done(vec![TxResult::Applied]));
    let Claim::Taken { jobs, .. } = claim else {
        panic!("the owner is registered")
    };
    assert_eq!(names(&jobs), ["q:1"]);
}

async fn a_repeated_turn_gives_the_same_answers(store: Fixture) {
    let owner = store.owner().await;
    let (batch, request) = push_and_claim(&owner, 1, "1");
    let first = store.turn(&batch, &request).await.unwrap();
    store.push("q", &["2"]).await;
    assert_eq!(store.turn(&batch, &request).await.unwrap(), first);
    assert_eq!(store.waiting("q").await, ["2"]);
    let (later, claim_later) = push_and_claim(&owner, 2, "3");
    store.turn(&later, &claim_later).await.unwrap();
    assert_eq!(
        store.turn(&batch, &request).await.unwrap(),
        (Commit::Stale, Claim::Stale)
    );
    let queue: Arc<str> = "q".into();
    let claims = store.claims(&owner, 9).await.unwrap();
    assert_eq!(names(&claims), ["q:1", "q:2", "q:3"]);
    assert!(claims.iter().all(|claim| claim.queue == queue));
}

async fn the_halves_of_a_turn_are_independent(store: Fixture) {
    let owner = store.owner().await;
    let (batch, request) = push_and_claim(&owner, 5, "1");
    store.turn(&batch, &request).await.unwrap();
    store.push("q", &["2"]).await;
    // A batch that is stale does not keep the claim from being made.
    let (stale, _) = push_and_claim(&owner, 4, "x");
    let (_, next) = push_and_claim(&owner, 6, "x");
    let (commit, claim) = store.turn(&stale, &next).await.unwrap();
    assert_eq!(commit, Commit::Stale);
    assert!(matches!(claim, Claim::Taken { jobs, .. } if names(&jobs) == ["q:2"]));
    // Nor does an owner that is gone keep the batch from being applied.
    let (batch, request) = push_and_claim(&Owner::random(), 1, "3");
    let (commit, claim) = store.turn(&batch, &request).await.unwrap();
    assert_eq!(
        (commit, claim),
        (Commit::Done(vec![TxResult::Applied]), Claim::Evicted)
    );
    assert_eq!(store.waiting("q").await, ["3"]);
}
