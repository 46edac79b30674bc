//! What is Redis's alone: its keys, its errors, its connection. What every store does is in the conformance suite.

mod errors;
mod keys;
mod notes;
mod server;
mod wake;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use server::Server;

use super::{RedisOptions, RedisStore};
use crate::job::Timestamp;
use crate::store::{
    Batch, Claim, ClaimId, ClaimRequest, Claimed, Commit, Effect, End, Guard, Lane, Owner, Place,
    Registration, Source, Stat, Store, TimedSet, Tx, TxResult,
};

const LEASE: Duration = Duration::from_secs(60);

/// A store on a server, with a registered owner, a lane, and their sequences.
struct Worker {
    store: RedisStore,
    owner: Owner,
    lane: Lane,
    commits: AtomicU64,
    claims: AtomicU64,
}

impl Worker {
    async fn new(server: &Server) -> Self {
        Self::with(RedisOptions::new(server.url())).await
    }

    async fn with(options: RedisOptions) -> Self {
        let store = RedisStore::connect(options).await.unwrap();
        let owner = Owner::random();
        store
            .renew(&owner, LEASE, Registration::First)
            .await
            .unwrap();
        Self {
            store,
            owner,
            lane: Lane::random(),
            commits: AtomicU64::new(0),
            claims: AtomicU64::new(0),
        }
    }

    async fn commit(&self, txs: Vec<Tx>) -> Vec<TxResult> {
        let batch = self.batch(txs);
        match self.store.commit(&batch).await.unwrap() {
            Commit::Done(results) => results,
            Commit::Stale => panic!("a new batch is not stale"),
        }
    }

    fn batch(&self, txs: Vec<Tx>) -> Batch {
        Batch {
            lane: self.lane.clone(),
            seq: self.commits.fetch_add(1, Ordering::Relaxed) + 1,
            txs,
        }
    }

    async fn push(&self, queue: &str, payload: &'static str) {
        let results = self.commit(vec![Tx::always(vec![tail(queue, payload)])]);
        assert_eq!(results.await, [TxResult::Applied]);
    }

    fn request(&self, queues: &[&str], limit: usize) -> ClaimRequest {
        ClaimRequest {
            owner: self.owner.clone(),
            seq: self.claims.fetch_add(1, Ordering::Relaxed) + 1,
            sources: queues
                .iter()
                .map(|queue| Source {
                    queue: (*queue).into(),
                    share: 0,
                })
                .collect(),
            limit,
        }
    }

    async fn claim(&self, queues: &[&str], limit: usize) -> Vec<Claimed> {
        match self
            .store
            .claim(&self.request(queues, limit))
            .await
            .unwrap()
        {
            Claim::Taken { jobs, .. } => jobs,
            other => panic!("the claim came to {other:?}"),
        }
    }

    fn id(&self, job: &Claimed) -> ClaimId {
        ClaimId {
            owner: self.owner.clone(),
            token: job.token,
        }
    }

    /// Ends a claim, after what else is to happen.
    fn end(&self, job: &Claimed, effects: impl IntoIterator<Item = Effect>) -> Tx {
        let mut effects: Vec<_> = effects.into_iter().collect();
        effects.push(Effect::Release(self.id(job)));
        Tx::when(Guard::Holds(self.id(job)), effects)
    }
}

fn payloads(jobs: &[Claimed]) -> Vec<&[u8]> {
    jobs.iter().map(|job| &job.payload[..]).collect()
}

fn put(queue: &str, payload: &'static str, end: End) -> Effect {
    let name = queue.into();
    Effect::Put(
        Bytes::from_static(payload.as_bytes()),
        Place::Queue { name, end },
    )
}

fn tail(queue: &str, payload: &'static str) -> Effect {
    put(queue, payload, End::Tail)
}

fn timed(set: TimedSet, payload: &'static str, micros: i64) -> Effect {
    let at = Timestamp::from_micros(micros);
    Effect::Put(
        Bytes::from_static(payload.as_bytes()),
        Place::Timed { set, at },
    )
}

fn count(stat: Stat) -> Effect {
    Effect::Count(stat, 1)
}

fn failed(result: &TxResult) -> &str {
    match result {
        TxResult::Failed { error } => error,
        other => panic!("{other:?} did not fail"),
    }
}
