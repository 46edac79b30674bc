//! What is SQLite's alone; the rules of the contract are tested for all stores together.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{SqliteOptions, SqliteStore};
use crate::job::Timestamp;
use crate::store::{
    Batch, Claim, ClaimRequest, Commit, Effect, End, Inspect, Interest, Lane, Members, Order,
    Owner, Place, PlaceName, Registration, Source, Standing, Stat, Store, TimedSet, Tx, TxResult,
};

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

struct Bed {
    folder: TempDir,
}

impl Bed {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("jobs.db")
    }

    fn store(&self) -> SqliteStore {
        SqliteStore::open(self.file(), SqliteOptions::default()).unwrap()
    }

    /// A connection that is not ours.
    fn stranger(&self) -> Connection {
        Connection::open(self.file()).unwrap()
    }
}

fn put(payload: &[u8]) -> Effect {
    let place = Place::Queue {
        name: "new".into(),
        end: End::Tail,
    };
    Effect::Put(Bytes::copy_from_slice(payload), place)
}

fn append(key: &str, item: &'static str) -> Effect {
    Effect::Append {
        key: key.into(),
        item: item.into(),
        ttl: LONG,
    }
}

fn batch(effects: Vec<Effect>) -> Batch {
    Batch {
        lane: Lane::random(),
        seq: 1,
        txs: effects
            .into_iter()
            .map(|effect| Tx::always(vec![effect]))
            .collect(),
    }
}

async fn commit(store: &SqliteStore, effects: Vec<Effect>) -> Vec<TxResult> {
    let Commit::Done(results) = store.commit(&batch(effects)).await.unwrap() else {
        panic!("a new lane is never stale");
    };
    results
}

async fn claim(store: &SqliteStore, owner: &Owner, seq: u64) -> Vec<Bytes> {
    let request = ClaimRequest {
        owner: owner.clone(),
        seq,
        sources: vec![Source {
            queue: "new".into(),
            share: 0,
        }],
        limit: 10,
    };
    let Claim::Taken { jobs, .. } = store.claim(&request).await.unwrap() else {
        panic!("the owner is registered and the number is new");
    };
    jobs.into_iter().map(|job| job.payload).collect()
}

async fn owner(store: &SqliteStore) -> Owner {
    let owner = Owner::random();
    let renewed = store
        .renew(&owner, LONG, Registration::First)
        .await
        .unwrap();
    assert_eq!(renewed.standing, Standing::New);
    owner
}

/// The number of the last change of this kind, after the store has looked for those of other connections.
async fn changes(store: &SqliteStore, interest: &Interest) -> u64 {
    assert!(store.writer.peek().ask());
    // Asked after the look, so answered after it.
    store.write(|_| Ok(())).await.unwrap();
    store.wait(interest, Duration::ZERO).await.unwrap();
    interest.seen.load(Ordering::Acquire)
}

#[tokio::test]
async fn a_push_through_another_handle_ends_a_wait() {
    let bed = Bed::new();
    let (pusher, worker) = (bed.store(), bed.store());
    let owner = owner(&worker).await;
    let interest = Interest::queues();
    let work = async {
        for seq in 1.. {
            let jobs = claim(&worker, &owner, seq).await;
            if !jobs.is_empty() {
                return jobs;
            }
            worker.wait(&interest, LONG * 10).await.unwrap();
        }
        unreachable!("the sequence has no end");
    };
    let push = async {
        // The worker has made its first claim and sleeps, or is about to: both must do.
        tokio::task::yield_now().await;
        commit(&pusher, vec![put(b"job")]).await;
    };
    let found = tokio::time::timeout(LONG, async { tokio::join!(work, push) }).await;
    assert_eq!(found.expect("woken in time").0, [&b"job"[..]]);
}

#[tokio::test]
async fn only_what_may_be_work_wakes_another_process() {
    let bed = Bed::new();
    let (busy, idle) = (bed.store(), bed.store());
    let (queues, timed) = (Interest::queues(), Interest::timed());
    let busy_owner = owner(&busy).await;
    let before = (changes(&idle, &queues).await, changes(&idle, &timed).await);

    busy.renew(&busy_owner, LONG, Registration::Known)
        .await
        .unwrap();
    assert!(claim(&busy, &busy_owner, 1).await.is_empty());
    // Or two idle processes would wake each other for ever.
    assert_eq!(changes(&idle, &queues).await, before.0);

    commit(&busy, vec![put(b"job")]).await;
    assert!(changes(&idle, &queues).await > before.0);
    assert_eq!(changes(&idle, &timed).await, before.1);

    let at = Timestamp::from_millis(1);
    let set = TimedSet::Schedule;
    commit(
        &busy,
        vec![Effect::Put(
            Bytes::from_static(b"later"),
            Place::Timed { set, at },
        )],
    )
    .await;
    assert!(changes(&idle, &timed).await > before.1);
}

#[tokio::test]
async fn a_queue_made_by_a_failed_transaction_is_not_remembered() {
    let bed = Bed::new();
    let store = bed.store();
    bed.stranger()
        .execute_batch(
            "CREATE TRIGGER no BEFORE INSERT ON ready WHEN new.payload = CAST('bad' AS BLOB)
             BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        .unwrap();
    let results = commit(&store, vec![put(b"bad"), put(b"good")]).await;
    assert!(
        matches!(&results[..], [TxResult::Failed { error }, TxResult::Applied] if error.contains("no")),
        "{results:?}"
    );
    let other = bed.store();
    let owner = owner(&other).await;
    assert_eq!(claim(&other, &owner, 1).await, [&b"good"[..]]);
    assert_eq!(other.members(Members::Queues).await.unwrap(), ["new"]);
}

#[tokio::test]
async fn where_the_file_is_full_the_rest_goes_on() {
    let bed = Bed::new();
    let store = bed.store();
    let limit = |pages: u32| {
        store.write(move |tables| {
            let now: u32 = tables
                .connection
                .query_row("PRAGMA page_count", [], |row| row.get(0))?;
            let most = format!("PRAGMA max_page_count = {}", now + pages);
            tables
                .connection
                .query_row(&most, [], |row| row.get::<_, i64>(0))
        })
    };
    commit(&store, vec![put(b"first")]).await;
    limit(8).await.unwrap();

    let big = vec![b'x'; 1 << 20];
    let full = batch(vec![put(b"second"), put(&big), put(b"third")]);
    let other = batch(vec![put(b"fourth")]);
    let (answer, other) = tokio::join!(store.commit(&full), store.commit(&other));
    let answer = answer.unwrap();
    assert!(
        matches!(&answer, Commit::Done(results) if matches!(
            &results[..], [TxResult::Applied, TxResult::Failed { error }, TxResult::Applied] if error.contains("full")
        )),
        "{answer:?}"
    );
    assert_eq!(other.unwrap(), Commit::Done(vec![TxResult::Applied]));
    assert_eq!(store.commit(&full).await.unwrap(), answer, "the repeat");

    let owner = owner(&store).await;
    let expected: [&[u8]; 4] = [b"first", b"second", b"third", b"fourth"];
    assert_eq!(claim(&store, &owner, 1).await, expected);
}

#[tokio::test]
async fn a_queue_that_left_the_names_comes_back_with_a_push() {
    let bed = Bed::new();
    let store = bed.store();
    let leave = Effect::Leave(Members::Queues, "new".into());
    commit(&store, vec![put(b"a"), leave.clone()]).await;
    assert!(store.members(Members::Queues).await.unwrap().is_empty());
    commit(&store, vec![put(b"b")]).await;
    assert_eq!(store.members(Members::Queues).await.unwrap(), ["new"]);
    commit(&store, vec![put(b"c"), leave, put(b"d")]).await;
    assert_eq!(store.members(Members::Queues).await.unwrap(), ["new"]);
    commit(&store, vec![Effect::Join(Members::Queues, "empty".into())]).await;
    let queues = store.census().await.unwrap().queues;
    let sizes: Vec<_> = queues.iter().map(|q| (q.name.as_str(), q.size)).collect();
    assert_eq!(sizes, [("empty", 0), ("new", 4)]);
}

#[tokio::test]
async fn another_connections_lock_is_waited_for() {
    let bed = Bed::new();
    let store = Arc::new(bed.store());
    let stranger = bed.stranger();
    stranger.execute_batch("BEGIN IMMEDIATE").unwrap();
    let pushed = tokio::spawn({
        let store = store.clone();
        async move { commit(&store, vec![put(b"job")]).await }
    });
    // Looks go on meanwhile.
    assert_eq!(store.census().await.unwrap().queues, []);
    assert!(!pushed.is_finished());
    stranger.execute_batch("COMMIT").unwrap();
    assert_eq!(pushed.await.unwrap(), [TxResult::Applied]);
}

#[tokio::test]
async fn a_lease_ends_with_the_boot() {
    let bed = Bed::new();
    let store = bed.store();
    let (dead, alive) = (owner(&store).await, owner(&store).await);
    let renewed = store
        .renew(&alive, LONG, Registration::Known)
        .await
        .unwrap();
    assert_eq!(renewed.expired, []);
    bed.stranger()
        .execute(
            "UPDATE owner SET boot = 'earlier' WHERE name = ?1",
            [dead.as_str()],
        )
        .unwrap();
    let renewed = store
        .renew(&alive, LONG, Registration::Known)
        .await
        .unwrap();
    assert_eq!(renewed.expired, [dead]);
}

#[test]
fn a_new_file_may_be_opened_by_several_at_once() {
    for _ in 0..10 {
        let bed = Bed::new();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| bed.store());
            }
        });
    }
}

fn refusal(bed: &Bed) -> String {
    let error = SqliteStore::open(bed.file(), SqliteOptions::default()).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains(&bed.file().display().to_string()),
        "{message}"
    );
    message
}

#[test]
fn what_is_no_database_is_refused() {
    let bed = Bed::new();
    std::fs::write(bed.file(), "a letter to my aunt, which is long enough to be read as a header, and is not one of a database at all").unwrap();
    assert!(refusal(&bed).contains("not a SQLite database"));

    let bed = Bed::new();
    std::fs::create_dir(bed.file()).unwrap();
    assert!(refusal(&bed).contains("a folder"));
}

#[test]
fn a_missing_folder_is_named() {
    let error = SqliteStore::open("/no-such-folder/jobs.db", SqliteOptions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the SQLite file /no-such-folder/jobs.db cannot be used: the folder /no-such-folder does not exist: make it first"
    );
}

#[test]
fn tables_of_another_version_are_refused() {
    let bed = Bed::new();
    drop(bed.store());
    bed.stranger()
        .execute_batch("PRAGMA user_version = 7")
        .unwrap();
    assert!(refusal(&bed).contains("version 7"));
}

#[test]
fn tables_of_the_next_version_are_refused_and_left_as_they_are() {
    let bed = Bed::new();
    drop(bed.store());
    let stranger = bed.stranger();
    stranger.execute_batch("PRAGMA user_version = 4").unwrap();
    let refused = refusal(&bed);
    assert!(
        refused.contains("version 4") && refused.contains("use a newer sancho"),
        "{refused}"
    );
    let version = stranger.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    assert_eq!(version.unwrap(), 4);
}

#[tokio::test]
async fn tables_of_the_first_version_are_upgraded_with_their_jobs() {
    let bed = Bed::new();
    let old = bed.stranger();
    old.execute_batch(include_str!("schema.sql")).unwrap();
    old.execute_batch(
        "PRAGMA user_version = 1;
         INSERT INTO queue (id, name) VALUES (1, 'new');
         INSERT INTO member (place, name) VALUES (0, 'new');
         INSERT INTO ready (queue, pos, payload) VALUES
             (1, 2, CAST('first' AS BLOB)), (1, 7, CAST('waits' AS BLOB)), (1, 9, CAST('last' AS BLOB));
         INSERT INTO timed (place, payload, at) VALUES (1, CAST('again' AS BLOB), 1000);
         INSERT INTO counter (name, day, n) VALUES ('stat:processed', '', 5);",
    )
    .unwrap();
    drop(old);

    for _ in 0..2 {
        // The second time there is nothing to upgrade.
        let store = bed.store();
        let retry = store.find(TimedSet::Retry, b"again").await.unwrap();
        assert_eq!(retry, Some(Timestamp::from_millis(1)));
        assert_eq!(store.counter(Stat::Processed, None).await.unwrap(), 5);
        let census = store.census().await.unwrap();
        assert_eq!((census.queues[0].size, census.retry), (3, 1));
        let place = PlaceName::queue("new");
        let page = store.page(&place, Order::Forward, 1, 1).await.unwrap();
        assert_eq!(page.entries[0].payload, "waits");
    }
    let (store, other) = (bed.store(), bed.store());
    let lists = Interest::lists();
    let before = changes(&other, &lists).await;
    assert_eq!(
        commit(&store, vec![put(b"pushed"), append("list", "item")]).await,
        [TxResult::Applied, TxResult::Applied]
    );
    assert!(changes(&other, &lists).await > before);
    assert_eq!(other.list(&"list".into()).await.unwrap(), [&b"item"[..]]);
    let owner = owner(&store).await;
    let jobs = claim(&store, &owner, 1).await;
    assert_eq!(jobs, [&b"first"[..], b"waits", b"last", b"pushed"]);
    let version = bed
        .stranger()
        .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    assert_eq!(version.unwrap(), 3);
}

/// What a queue shows, forward from each place and backward.
async fn shown(store: &SqliteStore) -> Vec<Vec<Bytes>> {
    let place = PlaceName::queue("new");
    let mut shown = Vec::new();
    for order in [Order::Forward, Order::Backward] {
        for cursor in 0..8 {
            let page = store.page(&place, order, cursor, 3).await.unwrap();
            shown.push(
                page.entries
                    .into_iter()
                    .map(|entry| entry.payload)
                    .collect(),
            );
        }
    }
    shown
}

/// The same of these payloads.
fn pages(payloads: &[&'static str]) -> Vec<Vec<Bytes>> {
    let forward: Vec<Bytes> = payloads.iter().map(|text| Bytes::from(*text)).collect();
    let backward: Vec<Bytes> = forward.iter().rev().cloned().collect();
    let pages = |all: &[Bytes]| -> Vec<Vec<Bytes>> {
        let page = |cursor| all.iter().skip(cursor).take(3).cloned().collect();
        (0..8).map(page).collect()
    };
    [pages(&forward), pages(&backward)].concat()
}

#[tokio::test]
async fn a_queue_with_holes_is_counted_and_shown_without_them() {
    let bed = Bed::new();
    let store = bed.store();
    let size = async || store.census().await.unwrap().queues[0].size;
    let take = async |payload: &'static str| {
        let take = Effect::Take(PlaceName::queue("new"), payload.into());
        commit(&store, vec![take]).await;
    };
    commit(
        &store,
        "abcdefg"
            .split("")
            .filter(|c| !c.is_empty())
            .map(|c| put(c.as_bytes()))
            .collect(),
    )
    .await;
    assert_eq!(
        shown(&store).await,
        pages(&["a", "b", "c", "d", "e", "f", "g"])
    );
    for payload in ["c", "e", "d"] {
        take(payload).await;
    }
    assert_eq!(
        (size().await, shown(&store).await),
        (4, pages(&["a", "b", "f", "g"]))
    );
    // Its ends, beside which holes end: their positions are given again.
    take("g").await;
    take("f").await;
    commit(&store, vec![put(b"h"), put(b"i")]).await;
    assert_eq!(
        (size().await, shown(&store).await),
        (4, pages(&["a", "b", "h", "i"]))
    );
    take("h").await;
    let owner = owner(&store).await;
    let request = |seq, limit| ClaimRequest {
        owner: owner.clone(),
        seq,
        sources: vec![Source {
            queue: "new".into(),
            share: limit,
        }],
        limit,
    };
    store.claim(&request(1, 2)).await.unwrap();
    let head = Place::Queue {
        name: "new".into(),
        end: End::Head,
    };
    let back = |payload: &'static str| Effect::Put(payload.into(), head.clone());
    commit(&store, vec![back("b"), back("a")]).await;
    assert_eq!(
        (size().await, shown(&store).await),
        (3, pages(&["a", "b", "i"]))
    );
    take("b").await;
    commit(
        &store,
        vec![
            Effect::Clear(PlaceName::queue("new")),
            put(b"x"),
            put(b"y"),
            put(b"z"),
        ],
    )
    .await;
    assert_eq!(
        (size().await, shown(&store).await),
        (3, pages(&["x", "y", "z"]))
    );
    take("y").await;
    store.claim(&request(2, 5)).await.unwrap();
    commit(&store, vec![put(b"1"), put(b"2"), put(b"3")]).await;
    assert_eq!(
        (size().await, shown(&store).await),
        (3, pages(&["1", "2", "3"]))
    );
}

#[tokio::test]
async fn sets_are_counted_and_paged_whoever_changes_them() {
    let bed = Bed::new();
    let store = bed.store();
    let set = TimedSet::Schedule;
    let entry = |n: u64| {
        Effect::Put(
            format!("{n:05}").into(),
            Place::Timed {
                set,
                at: Timestamp::from_micros(i64::try_from(n).unwrap()),
            },
        )
    };
    commit(&store, (0..3_000).map(entry).collect()).await;
    // Again, at another time: it is moved.
    commit(
        &store,
        vec![Effect::Put(
            "00007".into(),
            Place::Timed {
                set,
                at: Timestamp::from_micros(9_000),
            },
        )],
    )
    .await;
    let size = async || store.census().await.unwrap().schedule;
    assert_eq!(size().await, 3_000);
    let page = async |order, cursor| {
        let page = store.page(&set.into(), order, cursor, 100).await.unwrap();
        let first = page
            .entries
            .first()
            .map(|entry| String::from_utf8(entry.payload.to_vec()).unwrap());
        (first.unwrap_or_default(), page.next)
    };
    let mut cursor = Some(0);
    while let Some(from) = cursor {
        let next;
        (_, next) = page(Order::Forward, from).await;
        // From what is remembered, and a little behind it.
        assert_eq!(
            page(Order::Forward, from + 1).await.0,
            page(Order::Forward, from + 1).await.0
        );
        cursor = next;
    }
    assert_eq!(
        page(Order::Forward, 2_000).await,
        ("02001".into(), Some(2_100))
    );
    assert_eq!(
        page(Order::Forward, 2_050).await,
        ("02051".into(), Some(2_150))
    );
    assert_eq!(page(Order::Backward, 0).await, ("00007".into(), Some(100)));
    assert_eq!(
        page(Order::Backward, 100).await,
        ("02900".into(), Some(200))
    );
    // A page near the beginning is counted anew after each change, of whomever.
    bed.stranger()
        .execute(
            "DELETE FROM timed WHERE payload = CAST('02950' AS BLOB)",
            [],
        )
        .unwrap();
    assert_eq!(
        (size().await, page(Order::Backward, 100).await),
        (2_999, ("02899".into(), Some(200)))
    );
    // One that is deep goes on behind the last entry of the one before.
    bed.stranger()
        .execute(
            "DELETE FROM timed WHERE payload < CAST('00010' AS BLOB)",
            [],
        )
        .unwrap();
    assert_eq!(
        page(Order::Forward, 2_100).await,
        ("02101".into(), Some(2_200))
    );
    let trim = Effect::Trim {
        set,
        before: Timestamp::default(),
        keep: 50,
    };
    commit(&store, vec![trim]).await;
    assert_eq!(size().await, 50);
    commit(&store, vec![Effect::Clear(set.into())]).await;
    assert_eq!(
        (size().await, page(Order::Forward, 0).await),
        (0, (String::new(), None))
    );
}

#[tokio::test]
async fn what_ran_out_is_dropped_from_the_tables() {
    let bed = Bed::new();
    let clock = Arc::new(AtomicI64::new(1_000_000));
    let shown = clock.clone();
    let source = move || Timestamp::from_micros(shown.load(Ordering::Relaxed));
    let options = SqliteOptions::default().with_clock(Arc::new(source));
    let store = SqliteStore::open(bed.file(), options).unwrap();
    let fields = |key: &str, ttl| Effect::SetFields {
        key: key.into(),
        fields: vec![("a".into(), Bytes::from_static(b"1"))],
        ttl,
    };
    commit(
        &store,
        vec![
            append("list", "item"),
            fields("hash", Some(LONG)),
            fields("kept", None),
        ],
    )
    .await;
    let stranger = bed.stranger();
    let rows = || {
        ["note", "field", "item"].map(|table| {
            let count = format!("SELECT count(*) FROM {table}");
            stranger
                .query_row(&count, [], |row| row.get::<_, i64>(0))
                .unwrap()
        })
    };
    assert_eq!(rows(), [3, 2, 1]);
    clock.fetch_add(60_000_000, Ordering::Relaxed);
    commit(&store, vec![put(b"job")]).await;
    assert_eq!(rows(), [1, 1, 0]);
}

#[tokio::test]
async fn what_a_failed_transaction_kept_is_not_kept() {
    let bed = Bed::new();
    let store = bed.store();
    commit(&store, vec![append("list", "item")]).await;
    bed.stranger()
        .execute_batch(
            "CREATE TRIGGER no BEFORE INSERT ON item WHEN new.value = CAST('bad' AS BLOB)
             BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        .unwrap();
    let set = |value: &'static str| Effect::Set {
        key: "text".into(),
        value: value.into(),
        ttl: None,
    };
    let half = Tx::always(vec![
        Effect::Unset("list".into()),
        set("1"),
        append("list", "bad"),
    ]);
    let batch = Batch {
        lane: Lane::random(),
        seq: 1,
        txs: vec![half, Tx::always(vec![append("list", "good")])],
    };
    let Commit::Done(results) = store.commit(&batch).await.unwrap() else {
        panic!("a new lane is never stale");
    };
    assert!(
        matches!(&results[..], [TxResult::Failed { error }, TxResult::Applied] if error.contains("no")),
        "{results:?}"
    );
    assert_eq!(store.values(&["text".into()]).await.unwrap(), [None]);
    let items = store.list(&"list".into()).await.unwrap();
    assert_eq!(items, [&b"item"[..], b"good"]);
}

#[test]
fn a_database_of_another_program_is_left_as_it_is() {
    let bed = Bed::new();
    bed.stranger()
        .execute_batch("CREATE TABLE letter (text)")
        .unwrap();
    let before = std::fs::read(bed.file()).unwrap();
    assert!(refusal(&bed).contains("another program"));
    assert_eq!(std::fs::read(bed.file()).unwrap(), before);
}

#[tokio::test]
async fn a_commit_that_failed_hides_no_change_of_another() {
    let bed = Bed::new();
    let (idle, other) = (bed.store(), bed.store());
    // A violated foreign key that is deferred lets only the COMMIT fail.
    bed.stranger()
        .execute_batch(
            "CREATE TABLE parent (id INTEGER PRIMARY KEY);
             CREATE TABLE child (parent INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
             CREATE TRIGGER no AFTER INSERT ON ready WHEN new.payload = CAST('bad' AS BLOB)
             BEGIN INSERT INTO child VALUES (1); END",
        )
        .unwrap();
    let queues = Interest::queues();
    let before = changes(&idle, &queues).await;
    let refused = idle.commit(&batch(vec![put(b"bad")])).await;
    assert!(refused.is_err(), "{refused:?}");
    commit(&other, vec![put(b"good")]).await;
    assert!(changes(&idle, &queues).await > before);
}
