//! What a first look shows, in one go.

use super::{Api, ApiError, JobRecord, Process, QueueSummary, Stats};
use crate::store::{Members, Stat};

/// The numbers of a store, its queues and its processes, of about one moment.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Overview {
    /// The numbers.
    pub stats: Stats,
    /// The queues, by name.
    pub queues: Vec<QueueSummary>,
    /// The processes, by identity.
    pub processes: Vec<Process>,
}

impl Api {
    /// What [`stats`](Self::stats), [`queues`](Self::queues) and [`processes`](Self::processes) say, for less than each of them asked
    /// alone: six round trips, which grow with the number of queues and processes, not of jobs.
    ///
    /// ```
    /// # use sancho::{Client, Config, api::Api};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let api = Api::new(&Client::connect(Config::new().store("memory:")).await?);
    /// let overview = api.overview().await?;
    /// println!("{} jobs wait in {} queues", overview.stats.enqueued, overview.queues.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A store that gives no answer.
    pub async fn overview(&self) -> Result<Overview, ApiError> {
        let store = self.store();
        let census = store.census().await.map_err(ApiError::unavailable)?;
        let totals = [(Stat::Processed, None), (Stat::Failed, None)];
        let totals = store
            .counters(&totals)
            .await
            .map_err(ApiError::unavailable)?;
        let paused = store
            .members(Members::Paused)
            .await
            .map_err(ApiError::unavailable)?;
        let processes = self.processes().await?;
        let now = self.now();
        let default = census.queues.iter().find(|queue| queue.name == "default");
        let latency = default
            .and_then(|queue| JobRecord::new(queue.head.clone()?, None).latency(now))
            .unwrap_or_default();
        let stats = Stats {
            processed: totals[0],
            failed: totals[1],
            enqueued: census.queues.iter().map(|queue| queue.size).sum(),
            scheduled: census.schedule,
            retries: census.retry,
            dead: census.dead,
            claimed: census.claimed,
            processes: processes.len() as u64,
            busy: processes.iter().map(|process| process.busy).sum(),
            default_queue_latency: latency,
        };
        Ok(Overview {
            stats,
            queues: QueueSummary::all(census.queues, paused, now),
            processes,
        })
    }
}
