//! What is Redis's alone: foreign types, permissions, memory, connections that break, and the keys as Ruby sees them.

mod connections;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::config::Config;
use fred::types::{CustomCommand, Value};
use sancho::store::redis::{RedisOptions, RedisStore};
use sancho::store::{
    Batch, Claim, ClaimId, ClaimRequest, Commit, Effect, End, Guard, Interest, Lane, Members,
    Order, Owner, Place, PlaceName, Registration, Source, Stat, Store, TimedSet, Tx, TxResult,
};
use sancho_tests::RedisServer;

/// A server, a store on it, and a client that knows nothing of us.
struct Bed {
    server: RedisServer,
    store: Arc<dyn Store>,
    other: Client,
    owner: Owner,
}

const PATIENCE: Duration = Duration::from_secs(20);

impl Bed {
    async fn new() -> Self {
        let server = RedisServer::start(&[]);
        let store = Arc::new(
            RedisStore::connect(RedisOptions::new(server.url()))
                .await
                .unwrap(),
        );
        let other = Client::new(Config::from_url(&server.url()).unwrap(), None, None, None);
        other.init().await.unwrap();
        let owner = Owner::random();
        store
            .renew(&owner, PATIENCE * 10, Registration::First)
            .await
            .unwrap();
        Self {
            server,
            store,
            other,
            owner,
        }
    }

    async fn raw(&self, command: &str) -> Value {
        let mut words = command.split(' ');
        let name = words.next().unwrap().to_owned();
        let args: Vec<String> = words.map(str::to_owned).collect();
        self.other
            .custom(CustomCommand::new(name, None, false), args)
            .await
            .unwrap()
    }

    async fn commit(&self, txs: Vec<Tx>) -> Vec<TxResult> {
        match self
            .store
            .commit(&Batch {
                lane: Lane::random(),
                seq: 1,
                txs,
            })
            .await
            .unwrap()
        {
            Commit::Done(results) => results,
            Commit::Stale => panic!("stale"),
        }
    }

    async fn claim(
        &self,
        seq: u64,
        queues: &[&str],
        limit: usize,
    ) -> (Vec<sancho::store::Claimed>, Vec<Arc<str>>) {
        let sources = queues
            .iter()
            .map(|queue| Source {
                queue: (*queue).into(),
                share: 0,
            })
            .collect();
        let request = ClaimRequest {
            owner: self.owner.clone(),
            seq,
            sources,
            limit,
        };
        match self.store.claim(&request).await.unwrap() {
            Claim::Taken {
                jobs,
                unusable_queues,
            } => (jobs, unusable_queues),
            other => panic!("{other:?}"),
        }
    }

    fn id(&self, claimed: &sancho::store::Claimed) -> ClaimId {
        ClaimId {
            owner: self.owner.clone(),
            token: claimed.token,
        }
    }

    /// A transaction that settles a claim into the retry set.
    fn retried(&self, claimed: &sancho::store::Claimed) -> Tx {
        let at = sancho::job::Timestamp::from_millis(1);
        let put = Effect::Put(
            claimed.payload.clone(),
            Place::Timed {
                set: TimedSet::Retry,
                at,
            },
        );
        Tx::when(
            Guard::Holds(self.id(claimed)),
            vec![put, Effect::Release(self.id(claimed))],
        )
    }

    fn done(&self, claimed: &sancho::store::Claimed) -> Tx {
        Tx::when(
            Guard::Holds(self.id(claimed)),
            vec![
                Effect::Release(self.id(claimed)),
                Effect::Count(Stat::Processed, 1),
            ],
        )
    }

    async fn next_job(&self, seq: &mut u64, interest: &Interest) -> Bytes {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                self.store.wait(interest, PATIENCE * 10).await.unwrap();
                *seq += 1;
                let sources = vec![Source {
                    queue: "q".into(),
                    share: 0,
                }];
                let request = ClaimRequest {
                    owner: self.owner.clone(),
                    seq: *seq,
                    sources,
                    limit: 2,
                };
                // A connection that is being made anew gives no answer; the wait wakes once it is there.
                if let Ok(Claim::Taken { jobs, .. }) = self.store.claim(&request).await
                    && let Some(job) = jobs.into_iter().next()
                {
                    return job.payload;
                }
            }
        });
        found.await.expect("the push was slept past")
    }
}

fn push(queue: &str, payload: impl Into<Bytes>) -> Tx {
    Tx::always(vec![Effect::Put(
        payload.into(),
        Place::Queue {
            name: queue.into(),
            end: End::Tail,
        },
    )])
}

#[tokio::test]
async fn a04_a_key_of_another_type_stops_no_other_queue() {
    let bed = Bed::new().await;
    bed.raw("SET queue:bad text").await;
    bed.commit(vec![push("a", "1"), push("b", "2")]).await;
    let (jobs, unusable) = bed.claim(1, &["a", "bad", "b"], 10).await;
    assert_eq!(
        jobs.iter()
            .map(|job| job.payload.as_ref())
            .collect::<Vec<_>>(),
        [b"1", b"2"]
    );
    assert_eq!(unusable, ["bad".into()]);
    assert_eq!(bed.store.claims(&bed.owner, 10).await.unwrap(), jobs);
}

#[tokio::test]
async fn a_name_that_is_no_text_hides_no_other() {
    let bed = Bed::new().await;
    bed.raw(r"EVAL redis.call('SADD',KEYS[1],'\255','ours') 1 processes")
        .await;
    bed.raw(r"EVAL redis.call('HSET',KEYS[1],'\255','1','busy','2') 1 ours")
        .await;
    let processes = bed.store.members(Members::Processes).await.unwrap();
    assert_eq!(processes, ["ours"]);
    let fields = bed.store.fields(&["ours".into()]).await.unwrap();
    assert_eq!(fields, [[("busy".to_owned(), Bytes::from("2"))]]);
}

#[tokio::test]
async fn a05_an_effect_on_a_wrong_type_fails_its_transaction_alone() {
    let bed = Bed::new().await;
    bed.commit(vec![push("a", "1"), push("a", "2")]).await;
    let (jobs, _) = bed.claim(1, &["a"], 10).await;
    bed.raw("SET retry text").await;
    let results = bed
        .commit(vec![
            bed.retried(&jobs[0]),
            bed.done(&jobs[1]),
            push("b", "3"),
        ])
        .await;
    assert!(
        matches!(&results[0], TxResult::Failed { error } if error.contains("WRONGTYPE")),
        "{results:?}"
    );
    assert_eq!(results[1..], [TxResult::Applied, TxResult::Applied]);
    assert_eq!(bed.store.claims(&bed.owner, 10).await.unwrap(), jobs[..1]);
    bed.raw("DEL retry").await;
    assert_eq!(
        bed.commit(vec![bed.retried(&jobs[0])]).await,
        [TxResult::Applied]
    );
}

#[tokio::test]
async fn a05_a_forbidden_command_leaves_the_claim_held() {
    let bed = Bed::new().await;
    bed.commit(vec![push("a", "1")]).await;
    let (jobs, _) = bed.claim(1, &["a"], 10).await;
    bed.raw("ACL SETUSER default -zadd").await;
    let results = bed.commit(vec![bed.retried(&jobs[0])]).await;
    assert!(
        matches!(&results[0], TxResult::Failed { .. }),
        "{results:?}"
    );
    assert_eq!(bed.store.claims(&bed.owner, 10).await.unwrap(), jobs);
    bed.raw("ACL SETUSER default +zadd").await;
    assert_eq!(
        bed.commit(vec![bed.retried(&jobs[0])]).await,
        [TxResult::Applied]
    );
}

#[tokio::test]
async fn a06_without_memory_pushes_are_refused_and_ends_are_taken() {
    let bed = Bed::new().await;
    bed.commit(vec![push("a", "1"), push("a", "2")]).await;
    let (jobs, _) = bed.claim(1, &["a"], 10).await;
    bed.raw("CONFIG SET maxmemory 1").await;
    let results = bed.commit(vec![push("a", "3")]).await;
    assert!(
        matches!(&results[0], TxResult::Failed { error } if error.contains("OOM")),
        "{results:?}"
    );
    let results = bed
        .commit(vec![bed.retried(&jobs[0]), bed.done(&jobs[1])])
        .await;
    assert_eq!(results, [TxResult::Applied, TxResult::Applied]);
    bed.raw("CONFIG SET maxmemory 0").await;
    assert_eq!(bed.commit(vec![push("a", "4")]).await, [TxResult::Applied]);
    let page = bed
        .store
        .page(&PlaceName::Queue("a".into()), Order::Forward, 0, 10)
        .await
        .unwrap();
    assert_eq!(
        page.entries
            .iter()
            .map(|entry| entry.payload.as_ref())
            .collect::<Vec<_>>(),
        [b"4"]
    );
}

#[tokio::test]
async fn a17_a_batch_and_a_bulk_may_be_larger_than_luas_stack() {
    let bed = Bed::new().await;
    let puts = |range: std::ops::Range<u32>| {
        range
            .map(|n| {
                Effect::Put(
                    n.to_string().into(),
                    Place::Queue {
                        name: "a".into(),
                        end: End::Tail,
                    },
                )
            })
            .collect()
    };
    assert_eq!(
        bed.commit(vec![Tx::always(puts(0..9_000))]).await,
        [TxResult::Applied]
    );
    let mut claimed = Vec::new();
    for seq in 1..=9 {
        claimed.extend(bed.claim(seq, &["a"], 1_000).await.0);
    }
    assert_eq!(claimed.len(), 9_000);
    assert_eq!(
        bed.store.claims(&bed.owner, usize::MAX).await.unwrap(),
        claimed
    );
    let ended: Vec<_> = claimed.iter().map(|claimed| bed.done(claimed)).collect();
    assert_eq!(bed.commit(ended).await, vec![TxResult::Applied; 9_000]);
    assert_eq!(
        bed.store.counter(Stat::Processed, None).await.unwrap(),
        9_000
    );
}

#[tokio::test]
async fn a16_every_key_is_declared() {
    let bed = Bed::new().await;
    // A user that may touch these keys and no others: a script that reaches for another one is refused.
    let keys = "~queue:* ~queues ~retry ~schedule ~dead ~paused ~stat:* ~sancho:*";
    bed.raw(&format!("ACL SETUSER default resetkeys {keys}"))
        .await;
    bed.commit(vec![push("a", "1"), push("a", "2")]).await;
    let (jobs, _) = bed.claim(1, &["a"], 10).await;
    let results = bed
        .commit(vec![bed.retried(&jobs[0]), bed.done(&jobs[1])])
        .await;
    assert_eq!(results, [TxResult::Applied, TxResult::Applied]);
}

#[tokio::test]
async fn the_keys_are_those_that_ruby_knows() {
    let bed = Bed::new().await;
    bed.commit(vec![push("a", "1"), push("a", "2"), push("a", "3")])
        .await;
    let (jobs, _) = bed.claim(1, &["a"], 2).await;
    bed.commit(vec![bed.retried(&jobs[0]), bed.done(&jobs[1])])
        .await;
    let text = async |command: &str| format!("{:?}", bed.raw(command).await);
    assert!(text("SMEMBERS queues").await.contains("\"a\""));
    assert!(text("LRANGE queue:a 0 -1").await.contains("\"3\""));
    assert!(text("ZRANGE retry 0 -1 WITHSCORES").await.contains("\"1\""));
    assert!(text("GET stat:processed").await.contains("\"1\""));
    let Value::Array(mut keys) = bed.raw("KEYS *").await else {
        panic!("KEYS gives no array")
    };
    keys.retain(|key| !key.as_str().unwrap().starts_with("sancho:"));
    let mut keys: Vec<_> = keys
        .iter()
        .map(|key| key.as_str().unwrap().into_owned())
        .collect();
    keys.sort();
    let today = chrono::Utc::now()
        .format("stat:processed:%Y-%m-%d")
        .to_string();
    assert_eq!(
        keys,
        ["queue:a", "queues", "retry", "stat:processed", &today]
    );
}
