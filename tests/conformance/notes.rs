//! What is kept beside the jobs: texts, hashes, lists and histograms, each for a time.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sancho::store::{
    Batch, Commit, Effect, Fields, Guard, Key, Lane, Members, Stat, TimedSet, Tx, TxResult,
};
use sancho_tests::Clock;
use sancho_tests::effects::{contains, tail};

use super::{Fixture, Kind};

/// Longer than any test lasts.
const HOUR: Duration = Duration::from_secs(3_600);

/// So short that a test can see the end of it.
const SHORT: Duration = Duration::from_millis(100);

/// By when what is kept for [`SHORT`] is gone, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(20);

const REFUSED: TxResult = TxResult::Refused { by: 0 };

store_conformance![
    what_is_not_kept_is_nothing,
    a_text_is_kept_and_replaced,
    texts_are_any_bytes,
    several_keys_are_read_in_the_order_asked,
    the_fields_of_a_hash_are_kept_beside_each_other,
    fields_are_sorted_and_any_bytes,
    many_fields_are_set_at_once,
    fields_are_added_to,
    what_is_no_number_counts_as_none,
    fields_stop_at_the_highest_number,
    a_histogram_adds_up_and_stops_at_its_highest,
    a_list_is_read_from_its_oldest_item,
    striking_takes_the_oldest_of_equal_items,
    a_list_goes_with_its_last_item,
    what_is_unset_is_gone,
    a_hash_is_replaced_by_unsetting_it_first,
    absent_is_about_every_kind,
    absent_field_is_about_one_field,
    equals_field_is_about_all_bytes_of_one_field,
    a_refused_transaction_keeps_nothing,
    guards_are_asked_before_what_is_kept,
    a_repeated_batch_keeps_once,
    the_processes_are_a_set_of_names,
    counters_are_read_in_the_order_asked,
    what_one_handle_keeps_another_sees,
];

#[tokio::test]
async fn what_is_kept_for_a_time_runs_out() {
    on_every_store(everything_runs_out).await;
}

#[tokio::test]
async fn what_is_renewed_is_kept_on() {
    on_every_store(renewing_keeps).await;
}

#[tokio::test]
async fn fields_without_a_time_leave_that_of_their_hash() {
    on_every_store(no_time_leaves_the_time).await;
}

#[tokio::test]
async fn what_ran_out_is_not_added_to() {
    on_every_store(adding_begins_anew).await;
}

/// Under the host's clock: Redis lets things run out by its own.
async fn on_every_store(case: impl AsyncFn(Fixture)) {
    for kind in [Kind::Memory, Kind::Sqlite, Kind::Redis] {
        case(Fixture::with_clock(kind, Clock::live()).await).await;
    }
}

fn set(key: &str, value: impl Into<Bytes>) -> Effect {
    set_for(key, value, None)
}

fn set_for(key: &str, value: impl Into<Bytes>, ttl: Option<Duration>) -> Effect {
    Effect::Set {
        key: key.into(),
        value: value.into(),
        ttl,
    }
}

fn set_fields(key: &str, fields: &[(&str, &'static str)], ttl: Option<Duration>) -> Effect {
    let fields = fields
        .iter()
        .map(|(field, value)| ((*field).into(), (*value).into()));
    Effect::SetFields {
        key: key.into(),
        fields: fields.collect(),
        ttl,
    }
}

fn add_fields(key: &str, fields: &[(&str, u64)], ttl: Duration) -> Effect {
    let fields = fields.iter().map(|(field, n)| ((*field).into(), *n));
    Effect::AddFields {
        key: key.into(),
        fields: fields.collect(),
        ttl,
    }
}

fn observe(key: &str, counts: &[(u8, u16)], ttl: Duration) -> Effect {
    Effect::Observe {
        key: key.into(),
        counts: counts.into(),
        ttl,
    }
}

fn append(key: &str, item: impl Into<Bytes>, ttl: Duration) -> Effect {
    Effect::Append {
        key: key.into(),
        item: item.into(),
        ttl,
    }
}

fn strike(key: &str, item: &'static str) -> Effect {
    Effect::Strike {
        key: key.into(),
        item: item.into(),
    }
}

async fn value(store: &Fixture, key: &str) -> Option<Bytes> {
    store.values(&[key.into()]).await.unwrap().remove(0)
}

async fn fields(store: &Fixture, key: &str) -> Fields {
    store.fields(&[key.into()]).await.unwrap().remove(0)
}

async fn list(store: &Fixture, key: &str) -> Vec<Bytes> {
    store.list(&key.into()).await.unwrap()
}

async fn is_absent(store: &Fixture, key: &str) -> bool {
    let tx = Tx::when(Guard::Absent(key.into()), vec![]);
    store.commit_one(tx).await == TxResult::Applied
}

fn pairs(fields: &[(&str, &'static str)]) -> Fields {
    fields
        .iter()
        .map(|(field, value)| ((*field).into(), (*value).into()))
        .collect()
}

async fn what_is_not_kept_is_nothing(store: Fixture) {
    assert_eq!(value(&store, "none").await, None);
    assert_eq!(fields(&store, "none").await, []);
    assert!(list(&store, "none").await.is_empty());
    assert!(is_absent(&store, "none").await);
    store
        .apply(vec![Effect::Unset("none".into()), strike("none", "1")])
        .await;
    assert!(is_absent(&store, "none").await);
}

async fn a_text_is_kept_and_replaced(store: Fixture) {
    store.apply(vec![set("text", "1")]).await;
    assert_eq!(value(&store, "text").await, Some("1".into()));
    store
        .apply(vec![set("text", "2"), set("text", "3"), set("other", "4")])
        .await;
    assert_eq!(value(&store, "text").await, Some("3".into()));
}

async fn texts_are_any_bytes(store: Fixture) {
    for text in [&b""[..], b"\0\xff\r\n", "käse".as_bytes()] {
        store
            .apply(vec![set("a|b:c*[\n", Bytes::from_static(text))])
            .await;
        assert_eq!(
            value(&store, "a|b:c*[\n").await,
            Some(Bytes::from_static(text))
        );
        assert!(!is_absent(&store, "a|b:c*[\n").await);
    }
}

async fn several_keys_are_read_in_the_order_asked(store: Fixture) {
    store
        .apply(vec![
            set("text", "1"),
            set_fields("hash", &[("a", "2")], None),
        ])
        .await;
    let keys: [Key; 4] = ["hash", "text", "none", "text"].map(Into::into);
    let text = Some(Bytes::from("1"));
    assert_eq!(
        store.values(&keys).await.unwrap(),
        [None, text.clone(), None, text]
    );
    let hash = pairs(&[("a", "2")]);
    assert_eq!(
        store.fields(&keys).await.unwrap(),
        [hash, vec![], vec![], vec![]]
    );
    assert!(store.values(&[]).await.unwrap().is_empty());
    assert!(store.fields(&[]).await.unwrap().is_empty());
}

async fn the_fields_of_a_hash_are_kept_beside_each_other(store: Fixture) {
    store
        .apply(vec![set_fields("hash", &[("a", "1"), ("b", "2")], None)])
        .await;
    store
        .apply(vec![set_fields("hash", &[("b", "3"), ("c", "4")], None)])
        .await;
    assert_eq!(
        fields(&store, "hash").await,
        pairs(&[("a", "1"), ("b", "3"), ("c", "4")])
    );
}

async fn fields_are_sorted_and_any_bytes(store: Fixture) {
    let set = Effect::SetFields {
        key: "hash".into(),
        fields: ["b", "", "ä", "B", "a\n"]
            .map(|field| (field.into(), Bytes::from_static(b"\0\xff")))
            .into(),
        ttl: None,
    };
    store.apply(vec![set]).await;
    let sorted =
        ["", "B", "a\n", "b", "ä"].map(|field| (field.into(), Bytes::from_static(b"\0\xff")));
    assert_eq!(fields(&store, "hash").await, sorted);
}

async fn many_fields_are_set_at_once(store: Fixture) {
    let all: Fields = (0..1_500)
        .map(|n| (format!("{n:04}"), n.to_string().into()))
        .collect();
    let set = Effect::SetFields {
        key: "hash".into(),
        fields: all
            .iter()
            .map(|(field, value)| (field.as_str().into(), value.clone()))
            .collect(),
        ttl: Some(HOUR),
    };
    store
        .apply(vec![set, set_fields("next", &[("a", "1")], None)])
        .await;
    assert_eq!(fields(&store, "hash").await, all);
    assert_eq!(fields(&store, "next").await, pairs(&[("a", "1")]));
}

async fn fields_are_added_to(store: Fixture) {
    store
        .apply(vec![
            set_fields("hash", &[("a", "40"), ("text", "x")], None),
            add_fields("hash", &[("a", 1), ("b", 7), ("a", 1), ("c", 0)], HOUR),
        ])
        .await;
    assert_eq!(
        fields(&store, "hash").await,
        pairs(&[("a", "42"), ("b", "7"), ("c", "0"), ("text", "x")])
    );
}

async fn what_is_no_number_counts_as_none(store: Fixture) {
    let odd = [("a", "word"), ("b", ""), ("c", "9223372036854775808")];
    store
        .apply(vec![
            set_fields("hash", &odd, None),
            add_fields("hash", &[("a", 1), ("b", 2), ("c", 3)], HOUR),
        ])
        .await;
    assert_eq!(
        fields(&store, "hash").await,
        pairs(&[("a", "1"), ("b", "2"), ("c", "3")])
    );
}

async fn fields_stop_at_the_highest_number(store: Fixture) {
    let highest = "9223372036854775807";
    store
        .apply(vec![
            set_fields("hash", &[("a", "9223372036854775800")], None),
            add_fields("hash", &[("a", 8), ("b", u64::MAX), ("c", 1)], HOUR),
            add_fields("hash", &[("a", 1), ("b", u64::MAX), ("c", 1)], HOUR),
        ])
        .await;
    assert_eq!(
        fields(&store, "hash").await,
        pairs(&[("a", highest), ("b", highest), ("c", "2")])
    );
}

async fn a_histogram_adds_up_and_stops_at_its_highest(store: Fixture) {
    store
        .apply(vec![observe("h", &[(1, 5), (1, 1), (0, 256)], HOUR)])
        .await;
    assert_eq!(value(&store, "h").await.unwrap()[..], [1, 0, 0, 6]);
    store
        .apply(vec![
            observe("h", &[(2, 0), (1, u16::MAX)], HOUR),
            observe("h", &[(1, 1)], HOUR),
        ])
        .await;
    assert_eq!(
        value(&store, "h").await.unwrap()[..],
        [1, 0, 255, 255, 0, 0]
    );
}

async fn a_list_is_read_from_its_oldest_item(store: Fixture) {
    store
        .apply(vec![append("list", "1", HOUR), append("list", "", HOUR)])
        .await;
    let odd = Bytes::from_static(b"\0\xff");
    store.apply(vec![append("list", odd.clone(), HOUR)]).await;
    assert_eq!(list(&store, "list").await, ["1".into(), "".into(), odd]);
}

async fn striking_takes_the_oldest_of_equal_items(store: Fixture) {
    let items = ["a", "b", "a", "c", "a"].map(|item| append("list", item, HOUR));
    store.apply(items.into()).await;
    store.apply(vec![strike("list", "a")]).await;
    assert_eq!(list(&store, "list").await, ["b", "a", "c", "a"]);
    store
        .apply(vec![strike("list", "none"), strike("list", "c")])
        .await;
    assert_eq!(list(&store, "list").await, ["b", "a", "a"]);
}

async fn a_list_goes_with_its_last_item(store: Fixture) {
    store.apply(vec![append("list", "1", HOUR)]).await;
    assert!(!is_absent(&store, "list").await);
    store.apply(vec![strike("list", "1")]).await;
    assert!(is_absent(&store, "list").await);
}

async fn what_is_unset_is_gone(store: Fixture) {
    store
        .apply(vec![
            set("text", "1"),
            set_fields("hash", &[("a", "1")], None),
            observe("h", &[(0, 1)], HOUR),
            append("list", "1", HOUR),
        ])
        .await;
    let keys = ["text", "hash", "h", "list"];
    store
        .apply(keys.map(|key| Effect::Unset(key.into())).into())
        .await;
    for key in keys {
        assert!(is_absent(&store, key).await, "{key}");
    }
    assert_eq!(value(&store, "text").await, None);
    assert_eq!(fields(&store, "hash").await, []);
    assert!(list(&store, "list").await.is_empty());
}

async fn a_hash_is_replaced_by_unsetting_it_first(store: Fixture) {
    store
        .apply(vec![set_fields("hash", &[("a", "1"), ("b", "2")], None)])
        .await;
    store
        .apply(vec![
            Effect::Unset("hash".into()),
            set_fields("hash", &[("b", "3")], None),
        ])
        .await;
    assert_eq!(fields(&store, "hash").await, pairs(&[("b", "3")]));
    // Nor need it be a hash that is replaced.
    store
        .apply(vec![Effect::Unset("hash".into()), set("hash", "text")])
        .await;
    assert_eq!(value(&store, "hash").await, Some("text".into()));
    assert_eq!(fields(&store, "hash").await, []);
}

async fn absent_is_about_every_kind(store: Fixture) {
    for (key, effect) in [
        ("text", set("text", "")),
        ("hash", set_fields("hash", &[("a", "1")], None)),
        ("numbers", add_fields("numbers", &[("a", 0)], HOUR)),
        ("h", observe("h", &[(0, 0)], HOUR)),
        ("list", append("list", "", HOUR)),
    ] {
        let once = Tx::when(Guard::Absent(key.into()), vec![effect]);
        let results = store.commit_all(vec![once.clone(), once]).await;
        assert_eq!(results, [TxResult::Applied, REFUSED], "{key}");
    }
}

async fn absent_field_is_about_one_field(store: Fixture) {
    let once = |field: &str| {
        Tx::when(
            Guard::AbsentField("hash".into(), field.into()),
            vec![set_fields("hash", &[(field, "1")], None)],
        )
    };
    let results = store
        .commit_all(vec![once("a"), once("b"), once("a"), once("")])
        .await;
    let applied = TxResult::Applied;
    assert_eq!(
        results,
        [applied.clone(), applied.clone(), REFUSED, applied]
    );
}

async fn equals_field_is_about_all_bytes_of_one_field(store: Fixture) {
    store
        .apply(vec![
            set_fields("hash", &[("a", "1"), ("b", "2"), ("empty", "")], None),
            set("text", "1"),
        ])
        .await;
    let asked = |key: &str, field: &str, value: &'static [u8]| {
        let guard = Guard::EqualsField(key.into(), field.into(), Bytes::from_static(value));
        Tx::when(guard, vec![])
    };
    let results = store
        .commit_all(vec![
            asked("hash", "a", b"1"),
            asked("hash", "empty", b""),
            asked("hash", "a", b"2"),
            asked("hash", "a", b"1\0"),
            asked("hash", "a", b""),
            asked("hash", "none", b""),
            asked("none", "a", b"1"),
        ])
        .await;
    let (applied, refused) = ([TxResult::Applied, TxResult::Applied], [REFUSED; 5]);
    assert_eq!(results, [&applied[..], &refused].concat());
    let change = |from: &'static str, to: &'static str| {
        let guard = Guard::EqualsField("hash".into(), "a".into(), from.into());
        Tx::when(guard, vec![set_fields("hash", &[("a", to)], None)])
    };
    let results = store.commit_all(vec![change("1", "3"), change("1", "4")]);
    assert_eq!(results.await, [TxResult::Applied, REFUSED]);
    assert_eq!(fields(&store, "hash").await[0].1, "3");
}

async fn a_refused_transaction_keeps_nothing(store: Fixture) {
    store
        .apply(vec![set("text", "1"), append("list", "1", HOUR)])
        .await;
    let tx = Tx {
        when: vec![contains(TimedSet::Dead, "none")],
        then: vec![
            Effect::Unset("text".into()),
            set("text", "2"),
            set_fields("hash", &[("a", "1")], None),
            add_fields("numbers", &[("a", 1)], HOUR),
            observe("h", &[(0, 1)], HOUR),
            append("list", "2", HOUR),
            strike("list", "1"),
        ],
        otherwise: vec![set("other", "3")],
    };
    assert_eq!(store.commit_one(tx).await, REFUSED);
    assert_eq!(value(&store, "text").await, Some("1".into()));
    assert_eq!(list(&store, "list").await, ["1"]);
    for key in ["hash", "numbers", "h"] {
        assert!(is_absent(&store, key).await, "{key}");
    }
    assert_eq!(value(&store, "other").await, Some("3".into()));
}

async fn guards_are_asked_before_what_is_kept(store: Fixture) {
    let tx = Tx::when(
        Guard::Absent("lock".into()),
        vec![tail("q", "1"), set("lock", "me")],
    );
    assert_eq!(store.commit_one(tx.clone()).await, TxResult::Applied);
    assert_eq!(store.commit_one(tx).await, REFUSED);
    assert_eq!(store.waiting("q").await, ["1"]);
}

async fn a_repeated_batch_keeps_once(store: Fixture) {
    let batch = Batch {
        lane: Lane::random(),
        seq: 1,
        txs: vec![Tx::always(vec![
            add_fields("numbers", &[("a", 2)], HOUR),
            observe("h", &[(0, 3)], HOUR),
            append("list", "1", HOUR),
        ])],
    };
    let done = Commit::Done(vec![TxResult::Applied]);
    for _ in 0..3 {
        assert_eq!(store.commit(&batch).await.unwrap(), done);
    }
    assert_eq!(fields(&store, "numbers").await, pairs(&[("a", "2")]));
    assert_eq!(value(&store, "h").await.unwrap()[..], [0, 3]);
    assert_eq!(list(&store, "list").await, ["1"]);
}

async fn the_processes_are_a_set_of_names(store: Fixture) {
    let join = |name: &str| Effect::Join(Members::Processes, name.into());
    store
        .apply(vec![join("vm:2:b"), join("vm:1:a"), join("vm:2:b")])
        .await;
    let members = async || store.members(Members::Processes).await.unwrap();
    assert_eq!(members().await, ["vm:1:a", "vm:2:b"]);
    store
        .apply(vec![Effect::Leave(Members::Processes, "vm:2:b".into())])
        .await;
    assert_eq!(members().await, ["vm:1:a"]);
    assert!(store.members(Members::Queues).await.unwrap().is_empty());
}

async fn counters_are_read_in_the_order_asked(store: Fixture) {
    store
        .apply(vec![
            Effect::Count(Stat::Failed, 1),
            Effect::Count(Stat::Processed, 2),
        ])
        .await;
    let day = Some("2026-11-24");
    let which = [
        (Stat::Processed, None),
        (Stat::Processed, Some("2026-11-23")),
        (Stat::Failed, day),
        (Stat::Processed, day),
    ];
    assert_eq!(store.counters(&which).await.unwrap(), [2, 0, 1, 2]);
    assert!(store.counters(&[]).await.unwrap().is_empty());
}

async fn what_one_handle_keeps_another_sees(store: Fixture) {
    let other = store.another_handle().await;
    store
        .apply(vec![
            set("text", "1"),
            set_fields("hash", &[("a", "2")], None),
            append("list", "3", HOUR),
        ])
        .await;
    let text = other.values(&["text".into()]).await.unwrap();
    assert_eq!(text, [Some("1".into())]);
    let hash = other.fields(&["hash".into()]).await.unwrap();
    assert_eq!(hash, [pairs(&[("a", "2")])]);
    assert_eq!(other.list(&"list".into()).await.unwrap(), ["3"]);
}

/// Waits until nothing is kept under a key any more.
async fn gone(store: &Fixture, key: &str) {
    let start = Instant::now();
    while !is_absent(store, key).await {
        assert!(start.elapsed() < PATIENCE, "{key} is still there");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn everything_runs_out(store: Fixture) {
    store
        .apply(vec![
            set_for("text", "1", Some(SHORT)),
            set_fields("hash", &[("a", "1")], Some(SHORT)),
            add_fields("numbers", &[("a", 1)], SHORT),
            observe("h", &[(0, 1)], SHORT),
            append("list", "1", SHORT),
            // Shorter than a store may count.
            set_for("instant", "1", Some(Duration::from_nanos(1))),
            set_for("never", "1", Some(Duration::ZERO)),
            // Longer than any store can count.
            set_for("forever", "1", Some(Duration::MAX)),
            append("always", "1", Duration::MAX),
        ])
        .await;
    for key in ["text", "hash", "numbers", "h", "list", "instant", "never"] {
        gone(&store, key).await;
    }
    assert_eq!(value(&store, "text").await, None);
    assert_eq!(fields(&store, "hash").await, []);
    assert_eq!(fields(&store, "numbers").await, []);
    assert_eq!(value(&store, "h").await, None);
    assert!(list(&store, "list").await.is_empty());
    assert_eq!(value(&store, "forever").await, Some("1".into()));
    assert_eq!(list(&store, "always").await, ["1"]);
    let field = Guard::AbsentField("hash".into(), "a".into());
    let free = Tx::when(field, vec![]);
    assert_eq!(store.commit_one(free).await, TxResult::Applied);
    let field = Guard::EqualsField("hash".into(), "a".into(), "1".into());
    let gone = Tx::when(field, vec![]);
    assert_eq!(store.commit_one(gone).await, REFUSED);
}

async fn renewing_keeps(store: Fixture) {
    let keep = |ttl| {
        vec![
            set_for("text", "1", ttl),
            set_fields("hash", &[("a", "1")], ttl),
            add_fields("numbers", &[("a", 1)], ttl.unwrap_or(HOUR)),
            observe("h", &[(0, 1)], ttl.unwrap_or(HOUR)),
            append("list", "1", ttl.unwrap_or(HOUR)),
        ]
    };
    store.apply(keep(Some(SHORT))).await;
    store.apply(keep(Some(HOUR))).await;
    store
        .apply(vec![
            set_for("replaced", "1", Some(SHORT)),
            set("replaced", "2"),
            // Begun later than the first of all these, so it ends later.
            set_for("last", "1", Some(SHORT)),
        ])
        .await;
    gone(&store, "last").await;
    assert_eq!(value(&store, "text").await, Some("1".into()));
    assert_eq!(fields(&store, "hash").await.len(), 1);
    assert_eq!(fields(&store, "numbers").await.len(), 1);
    assert!(value(&store, "h").await.is_some());
    assert!(!list(&store, "list").await.is_empty());
    // A text that is kept anew has a new time, which may be none.
    assert_eq!(value(&store, "replaced").await, Some("2".into()));
}

async fn no_time_leaves_the_time(store: Fixture) {
    store
        .apply(vec![
            set_fields("hash", &[("a", "1")], Some(SHORT)),
            set_fields("hash", &[("b", "2")], None),
            append("list", "1", SHORT),
            append("list", "2", SHORT),
            strike("list", "1"),
        ])
        .await;
    gone(&store, "hash").await;
    gone(&store, "list").await;
}

async fn adding_begins_anew(store: Fixture) {
    let keep = |ttl| {
        vec![
            set_fields("hash", &[("a", "1"), ("b", "2")], Some(ttl)),
            add_fields("numbers", &[("a", 1), ("b", 2)], ttl),
            observe("h", &[(0, 1), (3, 1)], ttl),
            append("list", "1", ttl),
        ]
    };
    store.apply(keep(SHORT)).await;
    for key in ["hash", "numbers", "h", "list"] {
        gone(&store, key).await;
    }
    store
        .apply(vec![
            set_fields("hash", &[("b", "3")], None),
            add_fields("numbers", &[("b", 3)], HOUR),
            observe("h", &[(0, 3)], HOUR),
            append("list", "3", HOUR),
            strike("list", "1"),
        ])
        .await;
    assert_eq!(fields(&store, "hash").await, pairs(&[("b", "3")]));
    assert_eq!(fields(&store, "numbers").await, pairs(&[("b", "3")]));
    assert_eq!(value(&store, "h").await.unwrap()[..], [0, 3]);
    assert_eq!(list(&store, "list").await, ["3"]);
}
