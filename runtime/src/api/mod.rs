//! What dashboards, the command line and operators may ask.

pub mod doctor;

pub use doctor::{doctor, mend};

use crate::client::Client;
use crate::job::Timestamp;
use crate::store::{Order, Stat, TimedSet};
use crate::{Error, Result};

/// The numbers of a store at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Executions that came to an end since the store was made, failed ones included.
    pub processed: u64,
    /// Executions that failed since the store was made.
    pub failed: u64,
    /// Jobs that wait in queues.
    pub enqueued: u64,
    /// Jobs that wait for their time.
    pub scheduled: u64,
    /// Jobs that wait for another try.
    pub retries: u64,
    /// Jobs that were given up.
    pub dead: u64,
    /// Jobs in the hands of processes, dead ones that were not noticed yet included.
    pub claimed: u64,
}

impl Stats {
    /// Whether nothing waits and nothing runs: what is left is dead.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.enqueued + self.scheduled + self.retries + self.claimed == 0
    }
}

/// The numbers of the client's store.
///
/// # Errors
/// A store that gives no answer.
pub async fn stats(client: &Client) -> Result<Stats> {
    let store = client.store();
    let census = store.census().await.map_err(unavailable)?;
    Ok(Stats {
        processed: store
            .counter(Stat::Processed, None)
            .await
            .map_err(unavailable)?,
        failed: store
            .counter(Stat::Failed, None)
            .await
            .map_err(unavailable)?,
        enqueued: census.queues.iter().map(|queue| queue.size).sum(),
        scheduled: census.schedule,
        retries: census.retry,
        dead: census.dead,
        claimed: census.claimed,
    })
}

/// A job that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadJob {
    /// When it was given up.
    pub at: Timestamp,
    /// Its payload: a JSON object, unless that is why it is here.
    pub payload: Vec<u8>,
}

/// The first `limit` of the jobs that were given up, the oldest first.
///
/// # Errors
/// A store that gives no answer.
pub async fn dead(client: &Client, limit: usize) -> Result<Vec<DeadJob>> {
    let page = client
        .store()
        .page(&TimedSet::Dead.into(), Order::Forward, 0, limit)
        .await
        .map_err(unavailable)?;
    let job = |entry: crate::store::Entry| DeadJob {
        at: entry.at.unwrap_or_default(),
        payload: entry.payload.to_vec(),
    };
    Ok(page.entries.into_iter().map(job).collect())
}

fn unavailable(error: crate::store::Unavailable) -> Error {
    Error::store(error.to_string(), error)
}
