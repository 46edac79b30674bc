//! What other programs, people and disks do to a store: named by the doctor, mended, and gone.

use std::path::PathBuf;
use std::sync::Arc;

use fred::clients::Client as Redis;
use fred::interfaces::ClientLike;
use fred::types::config::Config;
use fred::types::{CustomCommand, Value};
use rusqlite::Connection;
use sancho::Client;
use sancho::api::doctor::{Mended, Report, Violation};
use sancho::api::{doctor, mend};
use sancho::job::Timestamp;
use sancho::store::redis::{RedisOptions, RedisStore};
use sancho::store::sqlite::{SqliteOptions, SqliteStore};
use sancho::store::{
    Batch, Claim, ClaimRequest, Commit, Defect, DefectKind, Effect, End, Lane, MAX_EXPIRED, Order,
    Owner, Place, PlaceName, Registration, Source, Store, TimedSet, Tx, TxResult,
};
use sancho_tests::{LEASE, RedisServer};
use tempfile::TempDir;

const JOB: &str = r#"{"class":"A","args":[],"jid":"1","queue":"mails"}"#;

/// A store, and what the doctor says of it.
struct Bed {
    store: Arc<dyn Store>,
    client: Client,
}

impl Bed {
    fn over(store: Arc<dyn Store>) -> Self {
        let client = sancho::testing::client(store.clone());
        Self { store, client }
    }

    async fn report(&self) -> Report {
        doctor(&self.client).await.unwrap()
    }

    /// The one thing that is wrong.
    async fn defect(&self, kind: DefectKind) -> Defect {
        let report = self.report().await;
        let [Violation::Store(defect)] = &report.violations[..] else {
            panic!("{report}");
        };
        assert_eq!(defect.kind, kind, "{report}");
        assert!(report.to_string().contains(kind.name()), "{report}");
        defect.clone()
    }

    /// Names the one thing that is wrong, mends it, and finds it gone.
    async fn heals(&self, kind: DefectKind) {
        let violation = Violation::Store(self.defect(kind).await);
        assert_eq!(mend(&self.client, &violation).await.unwrap(), Mended::Done);
        assert_eq!(mend(&self.client, &violation).await.unwrap(), Mended::Gone);
        let report = self.report().await;
        assert!(
            report.is_sound() && report.violations.is_empty(),
            "{report}"
        );
    }

    async fn put(&self, place: Place, payload: &'static str) {
        let tx = Tx::always(vec![Effect::Put(payload.into(), place)]);
        let batch = Batch {
            lane: Lane::random(),
            seq: 1,
            txs: vec![tx],
        };
        let done = self.store.commit(&batch).await.unwrap();
        assert_eq!(done, Commit::Done(vec![TxResult::Applied]));
    }

    async fn push(&self, queue: &str, payload: &'static str) {
        let (name, end) = (queue.into(), End::Tail);
        self.put(Place::Queue { name, end }, payload).await;
    }

    async fn owner(&self) -> Owner {
        let owner = Owner::random();
        self.store
            .renew(&owner, LEASE, Registration::First)
            .await
            .unwrap();
        owner
    }

    /// An owner that holds the head of the queue.
    async fn holder(&self) -> Owner {
        let owner = self.owner().await;
        let sources = vec![Source {
            queue: "mails".into(),
            share: 0,
        }];
        let request = ClaimRequest {
            owner: owner.clone(),
            seq: 1,
            sources,
            limit: 1,
        };
        let claim = self.store.claim(&request).await.unwrap();
        assert!(matches!(claim, Claim::Taken { jobs, .. } if jobs.len() == 1));
        owner
    }

    async fn payloads(&self, place: &PlaceName) -> Vec<String> {
        let page = self.store.page(place, Order::Forward, 0, 100).await;
        let text = |payload: &[u8]| String::from_utf8_lossy(payload).into_owned();
        let entries = page.unwrap().entries;
        entries.iter().map(|entry| text(&entry.payload)).collect()
    }

    async fn mails(&self) -> Vec<String> {
        self.payloads(&PlaceName::queue("mails")).await
    }
}

/// A server of its own, and a client that knows nothing of us.
struct OnRedis {
    bed: Bed,
    other: Redis,
    _server: RedisServer,
}

impl OnRedis {
    async fn new() -> Self {
        let server = RedisServer::start(&[]);
        let options = RedisOptions::new(server.url());
        let store = Arc::new(RedisStore::connect(options).await.unwrap());
        let other = Redis::new(Config::from_url(&server.url()).unwrap(), None, None, None);
        other.init().await.unwrap();
        Self {
            bed: Bed::over(store),
            other,
            _server: server,
        }
    }

    async fn raw(&self, words: &[&str]) -> Value {
        let args: Vec<String> = words[1..].iter().map(|word| (*word).to_owned()).collect();
        self.other
            .custom(CustomCommand::new(words[0].to_owned(), None, false), args)
            .await
            .unwrap()
    }
}

/// A file, and a connection that is not ours.
struct OnSqlite {
    bed: Bed,
    folder: TempDir,
}

impl OnSqlite {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("jobs.db"), SqliteOptions::default());
        Self {
            bed: Bed::over(Arc::new(store.unwrap())),
            folder,
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("jobs.db")
    }

    fn raw(&self, sql: &str) {
        let stranger = Connection::open(self.file()).unwrap();
        stranger
            .busy_timeout(std::time::Duration::from_secs(20))
            .unwrap();
        stranger.execute_batch(sql).unwrap();
    }
}

#[tokio::test]
async fn redis_a_key_of_another_type_is_kept_aside() {
    for (key, make) in [
        ("queue:mails", "SET"),
        ("retry", "SET"),
        ("queues", "LPUSH"),
        ("sancho:owners", "SET"),
        ("sancho:claims:0123", "SET"),
        ("stat:processed", "LPUSH"),
    ] {
        let redis = OnRedis::new().await;
        redis.raw(&[make, key, "precious"]).await;
        let report = redis.bed.report().await;
        let wrong = report.violations.iter().find(
            |violation| matches!(violation, Violation::Store(defect) if defect.kind == DefectKind::WrongType),
        );
        let wrong = wrong.unwrap_or_else(|| panic!("{key}: {report}"));
        assert!(!report.is_sound());
        assert_eq!(mend(&redis.bed.client, wrong).await.unwrap(), Mended::Done);
        let report = redis.bed.report().await;
        assert!(
            report.is_sound() && report.violations.is_empty(),
            "{report}"
        );
        let Value::Array(kept) = redis.raw(&["KEYS", "sancho:aside:*"]).await else {
            panic!("KEYS gives no array")
        };
        assert!(kept[0].as_str().unwrap().ends_with(key), "{kept:?}");
    }
}

#[tokio::test]
async fn redis_claims_of_an_owner_that_is_not_registered_are_registered_again() {
    let redis = OnRedis::new().await;
    redis.bed.push("mails", JOB).await;
    let owner = redis.bed.holder().await;
    redis.raw(&["ZREM", "sancho:owners", owner.as_str()]).await;
    redis.bed.heals(DefectKind::LostClaims).await;
    let owners = redis.bed.store.owners().await.unwrap();
    assert_eq!(
        (&owners[0].owner, owners[0].held, owners[0].left.is_zero()),
        (&owner, 1, false)
    );
    // The owner lives, and goes on.
    let renewed = redis
        .bed
        .store
        .renew(&owner, LEASE, Registration::Known)
        .await
        .unwrap();
    assert_eq!(renewed.standing, sancho::store::Standing::Kept);
}

#[tokio::test]
async fn redis_an_owner_without_claims_is_registered_no_more() {
    let redis = OnRedis::new().await;
    let owner = redis.bed.owner().await;
    redis.raw(&["DEL", &format!("sancho:claims:{owner}")]).await;
    redis.bed.heals(DefectKind::LostOwner).await;
    assert!(redis.bed.store.owners().await.unwrap().is_empty());
}

#[tokio::test]
async fn redis_a_claim_that_cannot_be_read_goes_to_the_dead_set() {
    let redis = OnRedis::new().await;
    redis.bed.push("mails", JOB).await;
    let owner = redis.bed.holder().await;
    let key = format!("sancho:claims:{owner}");
    redis.raw(&["HSET", &key, "7", "9:99:precious"]).await;
    redis.bed.heals(DefectKind::UnreadableClaim).await;
    let dead = redis.bed.payloads(&TimedSet::Dead.into()).await;
    assert_eq!(dead, ["9:99:precious"]);
    // The one beside it is as it was.
    assert_eq!(redis.bed.store.claims(&owner, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn redis_a_receipt_without_a_time_to_live_is_a_note() {
    let redis = OnRedis::new().await;
    redis.raw(&["SET", "sancho:receipt:0123", "1 - A1"]).await;
    assert!(redis.bed.report().await.is_sound());
    redis.bed.heals(DefectKind::LastingReceipt).await;
    let Value::Integer(left) = redis.raw(&["PTTL", "sancho:receipt:0123"]).await else {
        panic!("PTTL gives no number")
    };
    assert!((1..=60_000).contains(&left), "{left}");
}

#[tokio::test]
async fn redis_a_queue_that_ruby_forgot_to_list_is_listed() {
    let redis = OnRedis::new().await;
    redis.raw(&["LPUSH", "queue:mails", JOB]).await;
    redis.bed.heals(DefectKind::UnlistedQueue).await;
    assert_eq!(redis.bed.mails().await, [JOB]);
}

#[tokio::test]
async fn redis_keys_of_others_are_nobodys_business() {
    let redis = OnRedis::new().await;
    for key in ["cache:1", "queued", "sancho", "a:queue:mails", "queue"] {
        redis.raw(&["SET", key, "x"]).await;
    }
    let report = redis.bed.report().await;
    assert_eq!(report, Report::default());
}

#[tokio::test]
async fn redis_a_store_with_a_prefix_sees_its_own_keys_alone() {
    let redis = OnRedis::new().await;
    redis.raw(&["SET", "queue:mails", "x"]).await;
    redis.raw(&["SET", "[a]:queue:mails", "x"]).await;
    redis.raw(&["SET", "a:queue:mails", "x"]).await;
    let options = RedisOptions::new(redis._server.url()).prefix("[a]:");
    let bed = Bed::over(Arc::new(RedisStore::connect(options).await.unwrap()));
    bed.heals(DefectKind::WrongType).await;
    assert_eq!(redis.raw(&["GET", "a:queue:mails"]).await, "x".into());
}

#[tokio::test]
async fn sqlite_claims_of_an_owner_that_is_not_registered_are_taken_over() {
    let sqlite = OnSqlite::new();
    sqlite.bed.push("mails", JOB).await;
    let owner = sqlite.bed.holder().await;
    sqlite.raw("DELETE FROM owner");
    let violation = Violation::Store(sqlite.bed.defect(DefectKind::LostClaims).await);
    assert_eq!(
        mend(&sqlite.bed.client, &violation).await.unwrap(),
        Mended::Done
    );
    // It is named to the next who renews.
    let rescuer = Owner::random();
    let renewed = sqlite
        .bed
        .store
        .renew(&rescuer, LEASE, Registration::First)
        .await
        .unwrap();
    assert!(renewed.expired.len() == 1 && renewed.expired.len() <= MAX_EXPIRED);
    assert_ne!(renewed.expired[0], owner);
    let taken = sqlite
        .bed
        .store
        .take_over(&rescuer, 1, &renewed.expired[0], 10);
    let Claim::Taken { jobs, .. } = taken.await.unwrap() else {
        panic!("nothing was taken over")
    };
    assert_eq!(jobs[0].payload, JOB);
    let report = sqlite.bed.report().await;
    assert!(
        report.is_sound() && report.violations.is_empty(),
        "{report}"
    );
}

#[tokio::test]
async fn sqlite_jobs_of_a_queue_without_a_name_go_to_the_one_they_name() {
    let sqlite = OnSqlite::new();
    sqlite.bed.push("mails", "1").await;
    sqlite.raw(&format!(
        "INSERT INTO ready (queue, pos, payload) VALUES (77, 1, CAST('{JOB}' AS BLOB)), (77, 2, x'00')"
    ));
    sqlite.bed.heals(DefectKind::LostPayloads).await;
    assert_eq!(sqlite.bed.mails().await, ["1", JOB]);
    let default = PlaceName::queue("default");
    assert_eq!(sqlite.bed.payloads(&default).await, ["\0"]);
}

#[tokio::test]
async fn sqlite_claims_of_a_queue_without_a_name_go_back_to_the_one_they_name() {
    let sqlite = OnSqlite::new();
    sqlite.bed.push("mails", JOB).await;
    let owner = sqlite.bed.holder().await;
    sqlite.raw("UPDATE claim SET queue = 77");
    sqlite.bed.heals(DefectKind::LostPayloads).await;
    let claims = sqlite.bed.store.claims(&owner, 10).await.unwrap();
    assert_eq!(
        (&*claims[0].queue, &claims[0].payload[..]),
        ("mails", JOB.as_bytes())
    );
}

#[tokio::test]
async fn sqlite_entries_of_a_set_that_is_not_there_go_to_the_dead_set() {
    let sqlite = OnSqlite::new();
    sqlite.raw("INSERT INTO timed (place, payload, at) VALUES (9, x'31', 5), (9, x'32', 6)");
    sqlite.bed.heals(DefectKind::LostPayloads).await;
    assert_eq!(
        sqlite.bed.payloads(&TimedSet::Dead.into()).await,
        ["1", "2"]
    );
}

#[tokio::test]
async fn sqlite_payloads_that_are_text_become_bytes() {
    let sqlite = OnSqlite::new();
    sqlite.bed.push("mails", "1").await;
    let at = Timestamp::from_millis(1);
    let place = Place::Timed {
        set: TimedSet::Retry,
        at,
    };
    let job = r#"{"class":"B","args":[],"jid":"2"}"#;
    sqlite.bed.put(place, job).await;
    sqlite.raw("UPDATE timed SET payload = CAST(payload AS TEXT)");
    let report = sqlite.bed.report().await;
    let [wrong @ Violation::Store(Defect { kind, .. })] = &report.violations[..] else {
        panic!("{report}")
    };
    assert_eq!(*kind, DefectKind::WrongType);
    assert!(report.unfinished.is_some(), "{report}");
    assert_eq!(mend(&sqlite.bed.client, wrong).await.unwrap(), Mended::Done);
    assert!(sqlite.bed.report().await.is_sound());
    assert_eq!(sqlite.bed.payloads(&TimedSet::Retry.into()).await, [job]);
}

#[tokio::test]
async fn sqlite_notes_that_belong_to_nothing_are_damage_that_is_left_alone() {
    let sqlite = OnSqlite::new();
    sqlite.raw("PRAGMA foreign_keys = OFF; INSERT INTO field (key, name, value) VALUES ('gone', 'a', x'00')");
    let violation = Violation::Store(sqlite.bed.defect(DefectKind::Corrupt).await);
    let mended = mend(&sqlite.bed.client, &violation).await.unwrap();
    assert!(matches!(mended, Mended::Left { .. }), "{mended:?}");
}

#[tokio::test]
async fn sqlite_a_file_that_is_damaged_is_named() {
    let sqlite = OnSqlite::new();
    for _ in 0..200 {
        sqlite.bed.push("mails", JOB).await;
    }
    // An index that no more agrees with its table, as a bad disk leaves it.
    sqlite.raw(
        "INSERT INTO timed (place, payload, at) VALUES (2, x'31', 5), (2, x'32', 6);
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'note_expires')
         WHERE name = 'timed_at';
         PRAGMA writable_schema = RESET;",
    );
    let store = SqliteStore::open(sqlite.file(), SqliteOptions::default()).unwrap();
    let report = doctor(&sancho::testing::client(Arc::new(store)))
        .await
        .unwrap();
    assert!(
        report
            .violations
            .iter()
            .any(|violation| violation.name() == "corrupt"),
        "{report}"
    );
    assert!(!report.is_sound());
}
