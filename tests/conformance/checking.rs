//! What is wrong is named and mended, and nothing else is.

use std::time::Duration;

use sancho::store::{Defect, DefectKind, Effect, Members, TimedSet};
use sancho_tests::LEASE;
use sancho_tests::effects::{tail, timed};

use super::{Fixture, Kind};

store_conformance![
    nothing_is_wrong_with_an_empty_store,
    nothing_is_wrong_with_jobs_in_every_place,
    a_queue_that_holds_jobs_and_is_not_listed_is_named_and_mended,
    a_queue_that_is_not_listed_and_holds_nothing_is_no_defect,
    an_owner_is_overdue_from_when_it_ran_out,
];

async fn nothing_is_wrong_with_an_empty_store(store: Fixture) {
    assert_eq!(store.check().await.unwrap(), []);
}

async fn nothing_is_wrong_with_jobs_in_every_place(store: Fixture) {
    store.push("q", &["1", "2", "3"]).await;
    let sets = TimedSet::ALL.map(|set| timed(set, store.now(), set.name()));
    store.apply(sets.into()).await;
    let (owner, rescuer) = (store.owner().await, store.owner().await);
    assert_eq!(store.claim_from(&owner, 1, &["q"], 2).await.len(), 2);
    store.clock().advance(LEASE);
    store
        .renew_for(&rescuer, LEASE, sancho::store::Registration::Known)
        .await;
    // Amid a takeover, too.
    assert_eq!(store.take_over_from(&rescuer, 1, &owner, 1).await.len(), 1);
    assert_eq!(store.check().await.unwrap(), []);
}

async fn a_queue_that_holds_jobs_and_is_not_listed_is_named_and_mended(store: Fixture) {
    store
        .apply(vec![tail("a", "1"), tail("b*\n", "2"), tail("c", "3")])
        .await;
    for name in ["b*\n", "c"] {
        store
            .apply(vec![Effect::Leave(Members::Queues, name.into())])
            .await;
    }
    let mut found = store.check().await.unwrap();
    found.sort_by(|a, b| a.subject.cmp(&b.subject));
    let subjects: Vec<_> = found.iter().map(|defect| &defect.subject[..]).collect();
    assert_eq!(subjects, [&b"b*\n"[..], b"c"]);
    for defect in &found {
        assert_eq!(defect.kind, DefectKind::UnlistedQueue);
        assert!(!defect.to_string().contains('\n'), "{defect}");
        assert!(store.repair(defect).await.unwrap());
        assert!(!store.repair(defect).await.unwrap());
    }
    assert_eq!(store.check().await.unwrap(), []);
    let listed = store.members(Members::Queues).await.unwrap();
    assert_eq!(listed, ["a", "b*\n", "c"]);
}

async fn a_queue_that_is_not_listed_and_holds_nothing_is_no_defect(store: Fixture) {
    store.push("q", &["1"]).await;
    let owner = store.owner().await;
    store.claim_from(&owner, 1, &["q"], 1).await;
    store
        .apply(vec![Effect::Leave(Members::Queues, "q".into())])
        .await;
    assert_eq!(store.check().await.unwrap(), []);
    let defect = Defect {
        kind: DefectKind::UnlistedQueue,
        subject: "q".into(),
        part: "".into(),
        found: String::new(),
    };
    assert!(!store.repair(&defect).await.unwrap());
    assert!(store.members(Members::Queues).await.unwrap().is_empty());
}

async fn an_owner_is_overdue_from_when_it_ran_out(store: Fixture) {
    store.owner().await;
    let overdue = async || store.owners().await.unwrap()[0].overdue;
    store.clock().advance(LEASE);
    assert_eq!(overdue().await, Duration::ZERO);
    store.clock().advance(Duration::from_secs(21));
    assert_eq!(overdue().await, Duration::from_secs(21));
}
