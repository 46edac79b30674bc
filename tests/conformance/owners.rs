//! Registrations and leases.

use std::slice;
use std::time::Duration;

use sancho::store::{Claim, MAX_EXPIRED, Owner, Registration, Renewed, Standing};
use sancho_tests::LEASE;
use sancho_tests::effects::release;

use super::{Fixture, Kind};

const MILLISECOND: Duration = Duration::from_millis(1);

store_conformance![
    a_first_renewal_registers,
    a_repeated_first_renewal_keeps,
    a_later_renewal_keeps,
    a_later_renewal_of_an_unknown_owner_is_evicted_and_registers_nothing,
    a_renewal_tells_the_time_of_the_store,
    a_renewal_tells_how_many_claims_are_held,
    a_lease_lasts_its_time,
    a_renewal_begins_the_lease_anew,
    a_renewal_may_shorten_the_lease,
    a_renewal_revives_a_lease_that_ran_out,
    a_lease_of_zero_has_run_out,
    the_renewing_owner_is_not_named_among_the_expired,
    the_expired_are_named_longest_ago_first,
    at_most_so_many_expired_are_named,
    an_owner_that_is_half_taken_over_is_still_named,
    an_owner_that_is_taken_over_is_no_longer_named,
    an_evicted_owner_stays_evicted,
    an_evicted_owner_stays_evicted_towards_a_first_renewal,
    owners_are_listed_by_id_with_what_is_left_of_their_leases,
];

async fn register(store: &Fixture, id: &str, lease: Duration) -> Owner {
    let owner = Owner::from_text(id);
    let renewed = store.renew_for(&owner, lease, Registration::First).await;
    assert_eq!(renewed.standing, Standing::New);
    owner
}

async fn expired(store: &Fixture, asking: &Owner) -> Vec<Owner> {
    store
        .renew_for(asking, LEASE, Registration::Known)
        .await
        .expired
}

async fn a_first_renewal_registers(store: Fixture) {
    let owner = Owner::random();
    let renewed = store.renew_for(&owner, LEASE, Registration::First).await;
    let expected = Renewed {
        standing: Standing::New,
        now: store.now(),
        held: 0,
        expired: vec![],
    };
    assert_eq!(renewed, expected);
    assert!(store.claim_from(&owner, 1, &["q"], 1).await.is_empty());
}

async fn a_repeated_first_renewal_keeps(store: Fixture) {
    store.push("q", &["1", "2"]).await;
    let owner = store.owner().await;
    store.claim_from(&owner, 3, &["q"], 1).await;
    let renewed = store.renew_for(&owner, LEASE, Registration::First).await;
    assert_eq!((renewed.standing, renewed.held), (Standing::Kept, 1));
    // Its sequence goes on where it was.
    assert_eq!(store.try_claim(&owner, 2, &["q"], 1).await, Claim::Stale);
    assert_eq!(store.claim_from(&owner, 3, &["q"], 1).await[0].payload, "1");
}

async fn a_later_renewal_keeps(store: Fixture) {
    let owner = store.owner().await;
    let renewed = store.renew_for(&owner, LEASE, Registration::Known).await;
    assert_eq!(renewed.standing, Standing::Kept);
}

async fn a_later_renewal_of_an_unknown_owner_is_evicted_and_registers_nothing(store: Fixture) {
    let owner = Owner::random();
    for _ in 0..2 {
        let renewed = store.renew_for(&owner, LEASE, Registration::Known).await;
        assert_eq!((renewed.standing, renewed.held), (Standing::Evicted, 0));
    }
    assert!(store.owners().await.unwrap().is_empty());
    assert_eq!(store.try_claim(&owner, 1, &["q"], 1).await, Claim::Evicted);
}

async fn a_renewal_tells_the_time_of_the_store(store: Fixture) {
    let owner = store.owner().await;
    for _ in 0..3 {
        store.clock().advance(Duration::from_millis(1_234));
        let renewed = store.renew_for(&owner, LEASE, Registration::Known).await;
        assert_eq!(renewed.now, store.now());
    }
}

async fn a_renewal_tells_how_many_claims_are_held(store: Fixture) {
    store.push("q", &["1", "2", "3"]).await;
    let owner = store.owner().await;
    let jobs = store.claim_from(&owner, 1, &["q"], 2).await;
    store.claim_from(&owner, 2, &["q"], 2).await;
    let held = async || {
        store
            .renew_for(&owner, LEASE, Registration::Known)
            .await
            .held
    };
    assert_eq!(held().await, 3);
    store.apply(vec![release(&owner, &jobs[0])]).await;
    assert_eq!(held().await, 2);
}

async fn a_lease_lasts_its_time(store: Fixture) {
    let owner = store.owner().await;
    store.clock().advance(LEASE - MILLISECOND);
    let other = store.owner().await;
    assert!(expired(&store, &other).await.is_empty());
    store.clock().advance(MILLISECOND);
    assert_eq!(expired(&store, &other).await, [owner]);
}

async fn a_renewal_begins_the_lease_anew(store: Fixture) {
    let owner = store.owner().await;
    store.clock().advance(LEASE - MILLISECOND);
    store.renew_for(&owner, LEASE, Registration::Known).await;
    store.clock().advance(LEASE - MILLISECOND);
    let other = store.owner().await;
    assert!(expired(&store, &other).await.is_empty());
    store.clock().advance(MILLISECOND);
    assert_eq!(expired(&store, &other).await, [owner]);
}

async fn a_renewal_may_shorten_the_lease(store: Fixture) {
    let owner = store.owner().await;
    store
        .renew_for(&owner, Duration::from_secs(1), Registration::Known)
        .await;
    store.clock().advance(Duration::from_secs(1));
    let other = store.owner().await;
    assert_eq!(expired(&store, &other).await, [owner]);
}

async fn a_renewal_revives_a_lease_that_ran_out(store: Fixture) {
    let owner = store.owner().await;
    let other = store.owner().await;
    store.clock().advance(LEASE * 3);
    let renewed = store.renew_for(&owner, LEASE, Registration::Known).await;
    assert_eq!(renewed.standing, Standing::Kept);
    assert!(expired(&store, &other).await.is_empty());
}

async fn a_lease_of_zero_has_run_out(store: Fixture) {
    store.push("q", &["1"]).await;
    let (owner, other) = (store.owner().await, store.owner().await);
    store.claim_from(&owner, 1, &["q"], 1).await;
    store
        .renew_for(&owner, Duration::ZERO, Registration::Known)
        .await;
    assert_eq!(expired(&store, &other).await, slice::from_ref(&owner));
    assert_eq!(store.take_over_from(&other, 1, &owner, 9).await.len(), 1);
}

async fn the_renewing_owner_is_not_named_among_the_expired(store: Fixture) {
    let owner = store.owner().await;
    let renewed = store
        .renew_for(&owner, Duration::ZERO, Registration::Known)
        .await;
    assert!(renewed.expired.is_empty());
    store.clock().advance(LEASE * 2);
    assert!(expired(&store, &owner).await.is_empty());
}

async fn the_expired_are_named_longest_ago_first(store: Fixture) {
    for (id, lease) in [("a", 3), ("b", 1), ("c", 2), ("e", 2), ("d", 2), ("f", 60)] {
        register(&store, id, Duration::from_secs(lease)).await;
    }
    store.clock().advance(Duration::from_secs(10));
    let other = store.owner().await;
    let expired = expired(&store, &other).await;
    let ids: Vec<_> = expired.iter().map(Owner::as_str).collect();
    assert_eq!(ids, ["b", "c", "d", "e", "a"]);
}

async fn at_most_so_many_expired_are_named(store: Fixture) {
    for (n, lease) in (0..MAX_EXPIRED + 3).zip(0..) {
        register(&store, &format!("{n:03}"), Duration::from_millis(lease)).await;
    }
    store.clock().advance(Duration::from_secs(1));
    let other = store.owner().await;
    let expired = expired(&store, &other).await;
    let first: Vec<_> = (0..MAX_EXPIRED)
        .map(|n| Owner::from_text(&format!("{n:03}")))
        .collect();
    assert_eq!(expired, first);
    assert_eq!(store.owners().await.unwrap().len(), MAX_EXPIRED + 4);
}

async fn an_owner_that_is_half_taken_over_is_still_named(store: Fixture) {
    store.push("q", &["1", "2"]).await;
    let owner = store.owner().await;
    store.claim_from(&owner, 1, &["q"], 2).await;
    store.clock().advance(LEASE);
    let (rescuer, other) = (store.owner().await, store.owner().await);
    assert_eq!(store.take_over_from(&rescuer, 1, &owner, 1).await.len(), 1);
    // The rescuer may die now: who else would find the rest?
    assert_eq!(expired(&store, &other).await, slice::from_ref(&owner));
    let owners = store.owners().await.unwrap();
    let info = owners.iter().find(|info| info.owner == owner).unwrap();
    assert_eq!((info.left, info.held), (Duration::ZERO, 1));
}

async fn an_owner_that_is_taken_over_is_no_longer_named(store: Fixture) {
    let owner = store.owner().await;
    store.clock().advance(LEASE);
    let rescuer = store.owner().await;
    assert_eq!(expired(&store, &rescuer).await, slice::from_ref(&owner));
    assert!(
        store
            .take_over_from(&rescuer, 1, &owner, 9)
            .await
            .is_empty()
    );
    assert!(expired(&store, &rescuer).await.is_empty());
    assert_eq!(store.owners().await.unwrap().len(), 1);
}

async fn an_evicted_owner_stays_evicted(store: Fixture) {
    store.push("q", &["1"]).await;
    let owner = store.owner().await;
    store.claim_from(&owner, 1, &["q"], 1).await;
    store.clock().advance(LEASE);
    let rescuer = store.owner().await;
    store.take_over_from(&rescuer, 1, &owner, 9).await;
    for _ in 0..2 {
        let renewed = store.renew_for(&owner, LEASE, Registration::Known).await;
        assert_eq!((renewed.standing, renewed.held), (Standing::Evicted, 0));
        assert_eq!(store.try_claim(&owner, 2, &["q"], 1).await, Claim::Evicted);
        assert_eq!(
            store.try_take_over(&owner, 2, &rescuer, 1).await,
            Claim::Evicted
        );
    }
    assert_eq!(store.owners().await.unwrap().len(), 1);
}

async fn an_evicted_owner_stays_evicted_towards_a_first_renewal(store: Fixture) {
    store.push("q", &["1", "2", "3"]).await;
    let owner = store.owner().await;
    store.claim_from(&owner, 1, &["q"], 3).await;
    store.clock().advance(LEASE);
    let rescuer = store.owner().await;
    store.take_over_from(&rescuer, 1, &owner, 1).await;
    let renewed = store.renew_for(&owner, LEASE, Registration::First).await;
    assert_eq!((renewed.standing, renewed.held), (Standing::Evicted, 2));
    // Nor did it get a lease that would hold up the rescuer.
    assert_eq!(store.take_over_from(&rescuer, 2, &owner, 9).await.len(), 2);
}

async fn owners_are_listed_by_id_with_what_is_left_of_their_leases(store: Fixture) {
    store.push("q", &["1", "2"]).await;
    let b = register(&store, "b", LEASE).await;
    let a = register(&store, "a", Duration::from_secs(1)).await;
    store.claim_from(&b, 1, &["q"], 2).await;
    store.clock().advance(Duration::from_secs(2));
    let listed: Vec<_> = store
        .owners()
        .await
        .unwrap()
        .into_iter()
        .map(|info| (info.owner, info.left, info.held))
        .collect();
    assert_eq!(
        listed,
        [
            (a, Duration::ZERO, 0),
            (b, LEASE - Duration::from_secs(2), 2)
        ]
    );
}
