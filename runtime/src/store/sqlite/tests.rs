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
    Batch, Claim, ClaimRequest, Commit, Effect, End, Inspect, Interest, Lane, Members, Owner,
    Place, Registration, Source, Standing, Stat, Store, TimedSet, Tx, TxResult,
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
    stranger.execute_batch("PRAGMA user_version = 3").unwrap();
    let refused = refusal(&bed);
    assert!(
        refused.contains("version 3") && refused.contains("use a newer sancho"),
        "{refused}"
    );
    let version = stranger.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    assert_eq!(version.unwrap(), 3);
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
         INSERT INTO ready (queue, pos, payload) VALUES (1, 7, CAST('waits' AS BLOB));
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
        assert_eq!(store.census().await.unwrap().queues[0].size, 1);
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
    assert_eq!(jobs, [&b"waits"[..], b"pushed"]);
    let version = bed
        .stranger()
        .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    assert_eq!(version.unwrap(), 2);
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
