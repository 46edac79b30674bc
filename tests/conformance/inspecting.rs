//! Looking: pages, due entries, sizes, claims.

use std::time::Duration;

use bytes::Bytes;
use sancho::job::Timestamp;
use sancho::store::{
    Census, Due, Effect, Entry, Members, Order, Owner, Page, PlaceName, QueueInfo, TimedSet,
};
use sancho_tests::LEASE;
use sancho_tests::effects::{head, release, tail, timed};

use super::{Fixture, Kind};

store_conformance![
    a_queue_is_read_from_its_head,
    a_timed_set_is_read_from_its_earliest_entry,
    entries_of_the_same_time_are_ordered_by_bytes,
    a_page_has_at_most_its_limit,
    the_last_page_has_no_next,
    a_place_is_read_page_by_page,
    a_place_that_is_empty_has_one_empty_page,
    a_place_is_read_backwards,
    a_page_beyond_the_end_is_empty,
    a_page_of_none_tells_whether_there_is_more,
    a_scan_finds_what_contains_the_text,
    a_scan_takes_the_text_as_it_is,
    a_scan_looks_through_a_part,
    a_time_comes_back_to_the_microsecond,
    entries_of_one_time_are_read_page_by_page,
    due_entries_are_those_up_to_now_earliest_first,
    due_tells_when_the_next_one_is_due,
    due_of_an_empty_set_is_nothing,
    due_of_none_tells_the_first,
    due_takes_nothing_out,
    finding_tells_the_time_of_exactly_these_bytes,
    the_census_of_an_empty_store_is_empty,
    the_census_counts_every_place,
    the_census_tells_what_runs_next,
    the_census_names_queues_that_ran_empty,
    the_census_names_a_queue_again_once_it_is_pushed_to,
    claims_are_listed_in_order_up_to_a_limit,
    an_unknown_owner_has_no_claims,
    what_one_handle_did_another_sees,
];

async fn page(
    store: &Fixture,
    place: &PlaceName,
    cursor: u64,
    limit: usize,
) -> (Vec<Bytes>, Option<u64>) {
    let Page { entries, next } = store
        .page(place, Order::Forward, cursor, limit)
        .await
        .unwrap();
    (
        entries.into_iter().map(|entry| entry.payload).collect(),
        next,
    )
}

fn seconds(store: &Fixture, n: u64) -> Timestamp {
    store.now().after(Duration::from_secs(n))
}

async fn a_queue_is_read_from_its_head(store: Fixture) {
    store
        .apply(vec![tail("q", "2"), head("q", "1"), tail("q", "3")])
        .await;
    let page = store
        .page(&PlaceName::Queue("q".into()), Order::Forward, 0, 9)
        .await
        .unwrap();
    let entry = |payload: &'static str| Entry {
        payload: payload.into(),
        at: None,
    };
    assert_eq!(
        page,
        Page {
            entries: ["1", "2", "3"].map(entry).into(),
            next: None
        }
    );
}

async fn a_timed_set_is_read_from_its_earliest_entry(store: Fixture) {
    let set = TimedSet::Retry;
    let effects =
        [(2, "b"), (1, "c"), (3, "a")].map(|(n, payload)| timed(set, seconds(&store, n), payload));
    store.apply(effects.into()).await;
    let page = store
        .page(&PlaceName::Timed(set), Order::Forward, 0, 9)
        .await
        .unwrap();
    let entry = |(n, payload): (u64, &'static str)| Entry {
        payload: payload.into(),
        at: Some(seconds(&store, n)),
    };
    assert_eq!(
        page,
        Page {
            entries: [(1, "c"), (2, "b"), (3, "a")].map(entry).into(),
            next: None
        }
    );
}

async fn entries_of_the_same_time_are_ordered_by_bytes(store: Fixture) {
    let payloads: [&[u8]; 6] = [b"b", b"\xff", b"", b"ab", b"a", b"\0"];
    let at = store.now();
    let effects = payloads.map(|payload| timed(TimedSet::Dead, at, Bytes::from_static(payload)));
    store.apply(effects.into()).await;
    let mut sorted = payloads;
    sorted.sort_unstable();
    let place = PlaceName::Timed(TimedSet::Dead);
    assert_eq!(page(&store, &place, 0, 99).await.0, sorted);
    let due = store.due(TimedSet::Dead, at, 99).await.unwrap();
    assert_eq!(
        due.entries
            .into_iter()
            .map(|entry| entry.payload)
            .collect::<Vec<_>>(),
        sorted
    );
}

async fn a_page_has_at_most_its_limit(store: Fixture) {
    store.push("q", &["1", "2", "3"]).await;
    let queue = PlaceName::Queue("q".into());
    let (entries, next) = page(&store, &queue, 0, 2).await;
    assert_eq!(entries, ["1", "2"]);
    assert_eq!(
        page(&store, &queue, next.unwrap(), 2).await,
        (vec!["3".into()], None)
    );
}

async fn the_last_page_has_no_next(store: Fixture) {
    store.push("q", &["1", "2"]).await;
    let at = store.now();
    store
        .apply(vec![
            timed(TimedSet::Dead, at, "1"),
            timed(TimedSet::Dead, at, "2"),
        ])
        .await;
    for place in [
        PlaceName::Queue("q".into()),
        PlaceName::Timed(TimedSet::Dead),
    ] {
        // Exactly full, which does not tell by itself that it is the last.
        assert_eq!(
            page(&store, &place, 0, 2).await,
            (vec!["1".into(), "2".into()], None)
        );
        assert_eq!(page(&store, &place, 0, 3).await.1, None);
    }
}

async fn a_place_is_read_page_by_page(store: Fixture) {
    let all: Vec<Bytes> = (0..103).map(|n| format!("{n:03}").into()).collect();
    let at = store.now();
    let effects = all.iter().flat_map(|payload| {
        [
            tail("q", payload.clone()),
            timed(TimedSet::Retry, at, payload.clone()),
        ]
    });
    let (mut puts, timed_puts): (Vec<_>, Vec<_>) = effects
        .partition(|effect| matches!(effect, Effect::Put(_, sancho::store::Place::Queue { .. })));
    puts.extend(timed_puts);
    store.apply(puts).await;
    for place in [
        PlaceName::Queue("q".into()),
        PlaceName::Timed(TimedSet::Retry),
    ] {
        let mut read = Vec::new();
        let mut cursor = 0;
        for size in [10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 3] {
            let (entries, next) = page(&store, &place, cursor, 10).await;
            assert_eq!(entries.len(), size);
            read.extend(entries);
            assert_eq!(next.is_none(), read.len() == all.len());
            cursor = next.unwrap_or_default();
        }
        assert_eq!(read, all);
    }
}

async fn a_place_that_is_empty_has_one_empty_page(store: Fixture) {
    for place in [
        PlaceName::Queue("none".into()),
        PlaceName::Timed(TimedSet::Schedule),
    ] {
        assert_eq!(
            store.page(&place, Order::Forward, 0, 9).await.unwrap(),
            Page::default()
        );
    }
}

async fn a_place_is_read_backwards(store: Fixture) {
    store.push("q", &["1", "2", "3"]).await;
    let set = TimedSet::Dead;
    store
        .apply(vec![
            timed(set, seconds(&store, 1), "2"),
            timed(set, seconds(&store, 2), "3"),
            timed(set, seconds(&store, 0), "b"),
            timed(set, seconds(&store, 0), "a"),
        ])
        .await;
    for (place, pages) in [
        (PlaceName::queue("q"), [vec!["3", "2"], vec!["1"]]),
        (set.into(), [vec!["3", "2"], vec!["b", "a"]]),
    ] {
        let mut cursor = Some(0);
        for expected in pages {
            let page = store.page(&place, Order::Backward, cursor.unwrap(), 2);
            let Page { entries, next } = page.await.unwrap();
            let payloads: Vec<_> = entries.into_iter().map(|entry| entry.payload).collect();
            assert_eq!(payloads, expected);
            cursor = next;
        }
        assert_eq!(cursor, None);
    }
}

async fn a_page_beyond_the_end_is_empty(store: Fixture) {
    five_scheduled(&store).await;
    store.push("q", &["1", "2", "3", "4", "5"]).await;
    for place in [PlaceName::queue("q"), TimedSet::Schedule.into()] {
        for order in [Order::Forward, Order::Backward] {
            for cursor in [5, 6, 1 << 40, u64::MAX / 4, u64::MAX] {
                for limit in [1, 9, usize::MAX] {
                    let page = store.page(&place, order, cursor, limit).await.unwrap();
                    assert_eq!(
                        page,
                        Page::default(),
                        "{place:?} {order:?} {cursor} {limit}"
                    );
                }
            }
            let all = store.page(&place, order, 0, usize::MAX).await.unwrap();
            assert_eq!((all.entries.len(), all.next), (5, None));
        }
    }
}

async fn a_page_of_none_tells_whether_there_is_more(store: Fixture) {
    store.push("q", &["1", "2"]).await;
    let at = store.now();
    store
        .apply(
            ["1", "2"]
                .map(|payload| timed(TimedSet::Dead, at, payload))
                .into(),
        )
        .await;
    for place in [PlaceName::queue("q"), TimedSet::Dead.into()] {
        assert_eq!(page(&store, &place, 1, 0).await, (vec![], Some(1)));
        assert_eq!(page(&store, &place, 2, 0).await, (vec![], None));
    }
    let none = PlaceName::queue("none");
    assert_eq!(page(&store, &none, 0, 0).await, (vec![], None));
}

/// What a timed set has of a text, read part by part, sorted.
async fn scanned(store: &Fixture, set: TimedSet, text: &str, limit: usize) -> Vec<Bytes> {
    let (mut found, mut cursor) = (Vec::new(), 0);
    loop {
        let Page { entries, next } = store.scan(set, text, cursor, limit).await.unwrap();
        for entry in entries {
            assert_eq!(
                store.find(set, &entry.payload).await.unwrap(),
                entry.at,
                "{entry:?}"
            );
            found.push(entry.payload);
        }
        match next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    found.sort();
    found
}

async fn a_scan_finds_what_contains_the_text(store: Fixture) {
    let payloads: [&[u8]; 6] = [
        b"",
        b"\xff\0needle",
        b"needle",
        b"Needle",
        b"needl",
        b"a needle\n",
    ];
    let effects = payloads.map(|payload| {
        timed(
            TimedSet::Retry,
            seconds(&store, 1),
            Bytes::from_static(payload),
        )
    });
    store.apply(effects.into()).await;
    let found = scanned(&store, TimedSet::Retry, "needle", 100).await;
    assert_eq!(found, [&b"a needle\n"[..], b"needle", b"\xff\0needle"]);
    // An empty text is contained in everything.
    let all = scanned(&store, TimedSet::Retry, "", 100).await;
    assert_eq!(all.len(), payloads.len());
    assert!(
        scanned(&store, TimedSet::Retry, "needles", 100)
            .await
            .is_empty()
    );
    assert!(
        scanned(&store, TimedSet::Dead, "needle", 100)
            .await
            .is_empty()
    );
}

async fn a_scan_takes_the_text_as_it_is(store: Fixture) {
    let payloads = [
        "*", "?", "[a]", "[^a]", "\\", "a-b", "{a}", "ä", "\"q\"", "ab", "]", "^",
    ];
    let effects = payloads.map(|payload| timed(TimedSet::Dead, store.now(), payload));
    store.apply(effects.into()).await;
    for text in payloads {
        let found = scanned(&store, TimedSet::Dead, text, 100).await;
        let mut expected: Vec<_> = payloads.into_iter().filter(|p| p.contains(text)).collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{text}");
    }
    for text in ["a?", "a*", "[ab]", "a\\b", "*b", "\\*"] {
        let found = scanned(&store, TimedSet::Dead, text, 100).await;
        assert!(found.is_empty(), "{text} found {found:?}");
    }
}

async fn a_scan_looks_through_a_part(store: Fixture) {
    let payload = |n: u32| {
        format!(
            "{n:04} {}",
            if n.is_multiple_of(100) {
                "rare"
            } else {
                "often"
            }
        )
    };
    let set = TimedSet::Schedule;
    let effects = (0..1_000).map(|n| timed(set, seconds(&store, n.into()), payload(n)));
    store.apply(effects.collect()).await;
    let first = store.scan(set, "often", 0, 10).await.unwrap();
    assert!(
        first.entries.len() < 100,
        "{} of 1,000",
        first.entries.len()
    );
    assert!(first.next.is_some());
    let rare: Vec<_> = (0..10).map(|n| payload(n * 100)).collect();
    assert_eq!(scanned(&store, set, "rare", 10).await, rare);
    assert_eq!(scanned(&store, set, "often", 0).await.len(), 990);
}

async fn a_time_comes_back_to_the_microsecond(store: Fixture) {
    let set = TimedSet::Schedule;
    for micros in [
        0,
        1,
        1_795_472_864_490_251,
        1_795_472_864_490_252,
        4_102_444_800_999_999,
    ] {
        let at = Timestamp::from_micros(micros);
        store.apply(vec![timed(set, at, "1")]).await;
        assert_eq!(store.find(set, b"1").await.unwrap(), Some(at));
        assert_eq!(store.timed(set).await, [(at, "1".into())]);
        let due = store.due(set, at, 1).await.unwrap();
        assert_eq!(due.entries[0].at, Some(at));
        let before = at.before(Duration::from_micros(1));
        assert_eq!(
            store.due(set, before, 1).await.unwrap(),
            Due {
                entries: vec![],
                next: Some(at)
            }
        );
    }
}

/// Entries `a` to `e`, a second apart from the store's time on.
async fn five_scheduled(store: &Fixture) {
    let entries = (0..).zip(["a", "b", "c", "d", "e"]);
    let put = |(n, payload)| timed(TimedSet::Schedule, seconds(store, n), payload);
    store.apply(entries.map(put).collect()).await;
}

async fn due(store: &Fixture, after: u64, limit: usize) -> (Vec<Bytes>, Option<Timestamp>) {
    let due = store
        .due(TimedSet::Schedule, seconds(store, after), limit)
        .await
        .unwrap();
    (
        due.entries.into_iter().map(|entry| entry.payload).collect(),
        due.next,
    )
}

async fn entries_of_one_time_are_read_page_by_page(store: Fixture) {
    let set = TimedSet::Retry;
    let at = seconds(&store, 5);
    let micro = Duration::from_micros(1);
    let effects = [
        (at.before(micro), "before"),
        (at, "3"),
        (at, "1"),
        (at, "2"),
        (at.after(micro), "after"),
    ];
    let effects = effects.map(|(at, payload)| timed(set, at, payload));
    store.apply(effects.into()).await;
    let entry = |payload: &'static str| Entry {
        payload: payload.into(),
        at: Some(at),
    };
    let all = ["1", "2", "3"].map(entry);
    let whole = store.at(set, at, 0, 9).await.unwrap();
    assert_eq!((&whole.entries[..], whole.next), (&all[..], None));
    let (mut read, mut cursor) = (Vec::new(), Some(0));
    while let Some(from) = cursor {
        let page = store.at(set, at, from, 2).await.unwrap();
        assert!(page.entries.len() <= 2);
        read.extend(page.entries);
        cursor = page.next;
    }
    assert_eq!(read, all);
    assert_eq!(
        store.at(set, at, 9, 2).await.unwrap(),
        Page::default(),
        "beyond the end"
    );
    let another = at.after(Duration::from_secs(1));
    assert_eq!(store.at(set, another, 0, 2).await.unwrap(), Page::default());
}

async fn due_entries_are_those_up_to_now_earliest_first(store: Fixture) {
    five_scheduled(&store).await;
    assert_eq!(due(&store, 2, 99).await.0, ["a", "b", "c"]);
    assert_eq!(due(&store, 99, 99).await.0, ["a", "b", "c", "d", "e"]);
    let before = store.now().before(Duration::from_micros(1));
    assert!(
        store
            .due(TimedSet::Schedule, before, 99)
            .await
            .unwrap()
            .entries
            .is_empty()
    );
}

async fn due_tells_when_the_next_one_is_due(store: Fixture) {
    five_scheduled(&store).await;
    assert_eq!(due(&store, 1, 99).await.1, Some(seconds(&store, 2)));
    // The next one after those that were returned, though it is due as well.
    assert_eq!(
        due(&store, 4, 2).await,
        (vec!["a".into(), "b".into()], Some(seconds(&store, 2)))
    );
    assert_eq!(due(&store, 4, 5).await.1, None);
}

async fn due_of_an_empty_set_is_nothing(store: Fixture) {
    five_scheduled(&store).await;
    assert_eq!(
        store
            .due(TimedSet::Retry, seconds(&store, 99), 9)
            .await
            .unwrap(),
        Due::default()
    );
}

async fn due_of_none_tells_the_first(store: Fixture) {
    five_scheduled(&store).await;
    assert_eq!(due(&store, 99, 0).await, (vec![], Some(store.now())));
}

async fn due_takes_nothing_out(store: Fixture) {
    five_scheduled(&store).await;
    let first = due(&store, 99, 99).await;
    assert_eq!(due(&store, 99, 99).await, first);
    assert_eq!(store.timed(TimedSet::Schedule).await.len(), 5);
}

async fn finding_tells_the_time_of_exactly_these_bytes(store: Fixture) {
    five_scheduled(&store).await;
    assert_eq!(
        store.find(TimedSet::Schedule, b"c").await.unwrap(),
        Some(seconds(&store, 2))
    );
    assert_eq!(store.find(TimedSet::Schedule, b"C").await.unwrap(), None);
    assert_eq!(store.find(TimedSet::Schedule, b"").await.unwrap(), None);
    assert_eq!(store.find(TimedSet::Retry, b"c").await.unwrap(), None);
}

async fn the_census_of_an_empty_store_is_empty(store: Fixture) {
    store.owner().await;
    assert_eq!(store.census().await.unwrap(), Census::default());
}

async fn the_census_counts_every_place(store: Fixture) {
    store.push("b", &["1", "2", "3"]).await;
    store.push("a", &["4"]).await;
    for (n, set) in (1..).zip(TimedSet::ALL) {
        let at = store.now();
        store
            .apply((0..n).map(|k| timed(set, at, format!("{k}"))).collect())
            .await;
    }
    let (one, other) = (store.owner().await, store.owner().await);
    store.claim_from(&one, 1, &["b"], 1).await;
    store.claim_from(&other, 1, &["b"], 1).await;
    store.clock().advance(LEASE);
    let census = store.census().await.unwrap();
    let queue = |name: &str, payload: &'static str| QueueInfo {
        name: name.into(),
        size: 1,
        head: Some(payload.into()),
    };
    let expected = Census {
        queues: vec![queue("a", "4"), queue("b", "3")],
        schedule: 1,
        retry: 2,
        dead: 3,
        claimed: 2,
    };
    assert_eq!(census, expected);
    // What is left of an owner that is being taken over counts on.
    store.take_over_from(&store.owner().await, 1, &one, 0).await;
    assert_eq!(store.census().await.unwrap(), expected);
}

async fn the_census_tells_what_runs_next(store: Fixture) {
    let next = async || store.census().await.unwrap().queues[0].head.clone();
    store.push("q", &["1", "2"]).await;
    assert_eq!(next().await, Some("1".into()));
    store.apply(vec![head("q", "0")]).await;
    assert_eq!(next().await, Some("0".into()));
    let owner = store.owner().await;
    let jobs = store.claim_from(&owner, 1, &["q"], 2).await;
    assert_eq!(next().await, Some("2".into()));
    store
        .apply(vec![head("q", "1"), release(&owner, &jobs[1])])
        .await;
    assert_eq!(next().await, Some("1".into()));
}

async fn the_census_names_queues_that_ran_empty(store: Fixture) {
    store.push("q", &["1"]).await;
    let owner = store.owner().await;
    store.claim_from(&owner, 1, &["q"], 1).await;
    let empty = QueueInfo {
        name: "q".into(),
        size: 0,
        head: None,
    };
    assert_eq!(store.census().await.unwrap().queues, [empty]);
    store
        .apply(vec![Effect::Leave(Members::Queues, "q".into())])
        .await;
    assert!(store.census().await.unwrap().queues.is_empty());
}

async fn the_census_names_a_queue_again_once_it_is_pushed_to(store: Fixture) {
    store
        .apply(vec![Effect::Join(Members::Queues, "q".into())])
        .await;
    let queues = async || store.census().await.unwrap().queues;
    assert_eq!(queues().await.len(), 1);
    store.push("q", &["1"]).await;
    store
        .apply(vec![Effect::Leave(Members::Queues, "q".into())])
        .await;
    assert!(queues().await.is_empty());
    assert_eq!(store.waiting("q").await, ["1"]);
    store.push("q", &["2"]).await;
    let known = QueueInfo {
        name: "q".into(),
        size: 2,
        head: Some("1".into()),
    };
    assert_eq!(queues().await, [known]);
}

async fn claims_are_listed_in_order_up_to_a_limit(store: Fixture) {
    store.push("q", &["1", "2", "3", "4"]).await;
    let owner = store.owner().await;
    let mut all = store.claim_from(&owner, 1, &["q"], 3).await;
    all.extend(store.claim_from(&owner, 2, &["q"], 3).await);
    assert_eq!(store.claims(&owner, 99).await.unwrap(), all);
    assert_eq!(store.claims(&owner, 2).await.unwrap(), all[..2]);
    assert!(store.claims(&owner, 0).await.unwrap().is_empty());
}

async fn an_unknown_owner_has_no_claims(store: Fixture) {
    assert!(store.claims(&Owner::random(), 9).await.unwrap().is_empty());
}

async fn what_one_handle_did_another_sees(store: Fixture) {
    let other = store.another_handle().await;
    store
        .apply(vec![
            tail("q", "1"),
            timed(TimedSet::Dead, store.now(), "2"),
        ])
        .await;
    let owner = store.owner().await;
    store.claim_from(&owner, 1, &["q"], 1).await;
    assert_eq!(other.census().await.unwrap(), store.census().await.unwrap());
    assert_eq!(other.owners().await.unwrap(), store.owners().await.unwrap());
    assert_eq!(
        other.claims(&owner, 9).await.unwrap(),
        store.claims(&owner, 9).await.unwrap()
    );
    assert_eq!(
        other.find(TimedSet::Dead, b"2").await.unwrap(),
        Some(store.now())
    );
}
