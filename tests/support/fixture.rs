//! A store to test, whichever it is.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sancho::job::Timestamp;
use sancho::store::memory::MemoryStore;
use sancho::store::redis::{RedisOptions, RedisStore};
use sancho::store::sqlite::{SqliteOptions, SqliteStore};
use sancho::store::{
    Batch, Claim, ClaimRequest, Claimed, Commit, Effect, Entry, Lane, Order, Owner, Page,
    PlaceName, Registration, Renewed, Store, TimedSet, Tx, TxResult,
};

use tempfile::TempDir;

use crate::effects::strictly;
use crate::{Clock, RedisCluster, RedisServer};

/// The lease of the owners that a fixture registers.
pub const LEASE: Duration = Duration::from_secs(12);

/// The stores that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// On Redis.
    Redis,
    /// On a Cluster of three nodes.
    Cluster,
    /// On SQLite.
    Sqlite,
    /// In memory.
    Memory,
}

/// An empty store under a clock of its own. What it derefs to is the store; its own methods are the long-winded parts
/// of a case, and panic where the store gives no answer.
#[derive(Debug)]
pub struct Fixture {
    store: Arc<dyn Store>,
    backing: Backing,
    clock: Clock,
    lane: Lane,
    seq: AtomicU64,
}

/// What another handle to the same jobs is made from.
#[derive(Debug)]
enum Backing {
    /// The prefix of a Redis that all tests share.
    Redis(String),
    /// The prefix, with a hash tag, of a Cluster that all tests share.
    Cluster(String),
    /// The folder of a file.
    Sqlite(TempDir),
    Memory(MemoryStore),
}

impl Fixture {
    /// An empty store of a kind.
    pub async fn new(kind: Kind) -> Self {
        Self::with_clock(kind, Clock::new()).await
    }

    /// An empty store of a kind under a clock that others may share.
    pub async fn with_clock(kind: Kind, clock: Clock) -> Self {
        let backing = match kind {
            Kind::Redis => Backing::Redis(format!("{}:", Owner::random())),
            Kind::Cluster => Backing::Cluster(format!("{{{}}}:", Owner::random())),
            Kind::Sqlite => Backing::Sqlite(TempDir::new().expect("a folder can be made")),
            Kind::Memory => Backing::Memory(MemoryStore::with_clock(clock.source())),
        };
        Self {
            store: backing.open(&clock).await,
            backing,
            clock,
            lane: Lane::random(),
            seq: AtomicU64::new(0),
        }
    }

    /// Another handle to the same jobs, as another process would have it.
    pub async fn another_handle(&self) -> Arc<dyn Store> {
        self.backing.open(&self.clock).await
    }

    /// The handle that the fixture itself uses.
    #[must_use]
    pub fn handle(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// The store's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The store's time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Commits transactions as the next batch of the fixture's lane.
    pub async fn commit_all(&self, txs: Vec<Tx>) -> Vec<TxResult> {
        let seq = self.seq.fetch_add(1, Ordering::Relaxed) + 1;
        let batch = Batch {
            lane: self.lane.clone(),
            seq,
            txs,
        };
        match self.store.commit(&batch).await.expect("the store answers") {
            Commit::Done(results) => results,
            Commit::Stale => panic!("a new batch is not stale"),
        }
    }

    /// Commits one transaction.
    pub async fn commit_one(&self, tx: Tx) -> TxResult {
        let mut results = self.commit_all(vec![tx]).await;
        assert_eq!(results.len(), 1, "one transaction has one result");
        results.remove(0)
    }

    /// Lets effects happen.
    pub async fn apply(&self, effects: Vec<Effect>) {
        assert_eq!(
            self.commit_one(Tx::always(effects)).await,
            TxResult::Applied
        );
    }

    /// Pushes payloads to the tail of a queue.
    pub async fn push(&self, queue: &str, payloads: &[&'static str]) {
        let effects = payloads
            .iter()
            .map(|payload| crate::effects::tail(queue, *payload));
        self.apply(effects.collect()).await;
    }

    /// A newly registered owner with a lease of [`LEASE`].
    pub async fn owner(&self) -> Owner {
        let owner = Owner::random();
        self.renew_for(&owner, LEASE, Registration::First).await;
        owner
    }

    /// Renews a lease.
    pub async fn renew_for(
        &self,
        owner: &Owner,
        lease: Duration,
        registration: Registration,
    ) -> Renewed {
        self.store
            .renew(owner, lease, registration)
            .await
            .expect("the store answers")
    }

    /// Claims from queues in strict order; whatever comes of it.
    pub async fn try_claim(&self, owner: &Owner, seq: u64, queues: &[&str], limit: usize) -> Claim {
        let owner = owner.clone();
        let request = ClaimRequest {
            owner,
            seq,
            sources: strictly(queues),
            limit,
        };
        self.store.claim(&request).await.expect("the store answers")
    }

    /// Claims from queues in strict order.
    pub async fn claim_from(
        &self,
        owner: &Owner,
        seq: u64,
        queues: &[&str],
        limit: usize,
    ) -> Vec<Claimed> {
        taken(self.try_claim(owner, seq, queues, limit).await)
    }

    /// Takes over; whatever comes of it.
    pub async fn try_take_over(
        &self,
        owner: &Owner,
        seq: u64,
        from: &Owner,
        limit: usize,
    ) -> Claim {
        self.store
            .take_over(owner, seq, from, limit)
            .await
            .expect("the store answers")
    }

    /// Takes over.
    pub async fn take_over_from(
        &self,
        owner: &Owner,
        seq: u64,
        from: &Owner,
        limit: usize,
    ) -> Vec<Claimed> {
        taken(self.try_take_over(owner, seq, from, limit).await)
    }

    /// The payloads of a queue from its head on.
    pub async fn waiting(&self, queue: &str) -> Vec<Bytes> {
        let entries = self.entries(&PlaceName::Queue(queue.into())).await;
        entries.into_iter().map(|entry| entry.payload).collect()
    }

    /// The payloads of a timed set, earliest first, with their times.
    pub async fn timed(&self, set: TimedSet) -> Vec<(Timestamp, Bytes)> {
        let entries = self.entries(&PlaceName::Timed(set)).await;
        let with_time = |entry: Entry| Some((entry.at?, entry.payload));
        entries
            .into_iter()
            .map(|entry| with_time(entry).expect("has a time"))
            .collect()
    }

    /// Everything in a place, read page by page.
    pub async fn entries(&self, place: &PlaceName) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut cursor = 0;
        loop {
            let page = self.store.page(place, Order::Forward, cursor, 1_000).await;
            let Page {
                entries: more,
                next,
            } = page.expect("the store answers");
            entries.extend(more);
            match next {
                Some(next) => cursor = next,
                None => return entries,
            }
        }
    }

    /// The payloads of the claims of an owner.
    pub async fn held_by(&self, owner: &Owner) -> Vec<Bytes> {
        let claims = self
            .store
            .claims(owner, usize::MAX)
            .await
            .expect("the store answers");
        claims.into_iter().map(|claim| claim.payload).collect()
    }
}

impl Deref for Fixture {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        &*self.store
    }
}

impl Backing {
    async fn open(&self, clock: &Clock) -> Arc<dyn Store> {
        match self {
            Self::Redis(prefix) => redis(RedisServer::shared().url(), prefix, clock).await,
            Self::Cluster(prefix) => redis(RedisCluster::shared().url(), prefix, clock).await,
            Self::Sqlite(folder) => {
                let options = SqliteOptions::default().with_clock(clock.source());
                Arc::new(
                    SqliteStore::open(folder.path().join("jobs.db"), options)
                        .expect("the file can be made"),
                )
            }
            Self::Memory(store) => Arc::new(store.clone()),
        }
    }
}

async fn redis(url: String, prefix: &str, clock: &Clock) -> Arc<dyn Store> {
    let options = RedisOptions::new(url)
        .prefix(prefix)
        .with_clock(clock.source());
    let store = RedisStore::connect(options).await;
    Arc::new(store.expect("the server is there"))
}

/// The jobs of a claim that took some, and had no trouble with a queue.
fn taken(claim: Claim) -> Vec<Claimed> {
    match claim {
        Claim::Taken {
            jobs,
            unusable_queues,
        } => {
            assert!(
                unusable_queues.is_empty(),
                "{unusable_queues:?} cannot be read"
            );
            jobs
        }
        other => panic!("the claim came to {other:?}"),
    }
}
