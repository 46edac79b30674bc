//! The numbers of a store.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, Utc};

use super::{Api, ApiError};
use crate::store::{Effect, Stat, Tx};

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
    /// Jobs in the hands of our processes, dead ones that were not noticed yet included. Ruby's processes hold theirs in their
    /// memory.
    pub claimed: u64,
    /// Processes that show themselves, Ruby's included.
    pub processes: u64,
    /// Jobs that these processes say they run.
    pub busy: u64,
    /// How long the job that runs next in the queue `default` has waited; zero where none does.
    pub default_queue_latency: Duration,
}

impl Stats {
    /// Whether nothing waits and nothing runs: what is left is dead.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.enqueued + self.scheduled + self.retries + self.claimed == 0
    }
}

/// The numbers of a UTC day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DayStats {
    /// The day.
    pub date: NaiveDate,
    /// Executions that came to an end, failed ones included.
    pub processed: u64,
    /// Executions that failed.
    pub failed: u64,
}

/// The most days that [`Api::history`] looks back, since no counter is kept longer: five years.
pub const MAX_HISTORY: u32 = 1_825;

impl Api {
    /// The numbers of the store. A few round trips, which grow with the number of queues and processes, not of jobs.
    ///
    /// ```
    /// # use sancho::{Client, Config, api::Api};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let api = Api::new(&Client::connect(Config::new().store("memory:")).await?);
    /// let stats = api.stats().await?;
    /// println!("{} processed, {} failed, {} wait", stats.processed, stats.failed, stats.enqueued);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A store that gives no answer.
    pub async fn stats(&self) -> Result<Stats, ApiError> {
        Ok(self.overview().await?.stats)
    }

    /// The numbers of so many days up to and with `until` (today, where it is `None`), the newest first.
    ///
    /// ```
    /// # use sancho::{Client, Config, api::Api};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let api = Api::new(&Client::connect(Config::new().store("memory:")).await?);
    /// for day in api.history(30, None).await? {
    ///     println!("{} {} {}", day.date, day.processed, day.failed);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Less than one day or more than [`MAX_HISTORY`]; days before the calendar begins; a store that gives no answer.
    pub async fn history(
        &self,
        days: u32,
        until: Option<NaiveDate>,
    ) -> Result<Vec<DayStats>, ApiError> {
        if !(1..=MAX_HISTORY).contains(&days) {
            return Err(ApiError::invalid(format!(
                "the history of {days} days was asked for: ask for 1 to {MAX_HISTORY}"
            )));
        }
        let until = until.unwrap_or_else(|| DateTime::<Utc>::from(self.now()).date_naive());
        let dates: Option<Vec<NaiveDate>> = (0..u64::from(days))
            .map(|n| until.checked_sub_days(Days::new(n)))
            .collect();
        let dates = dates.ok_or_else(|| {
            ApiError::invalid(format!("{days} days before {until} there is no calendar"))
        })?;
        let names: Vec<String> = dates.iter().map(ToString::to_string).collect();
        let which: Vec<(Stat, Option<&str>)> = names
            .iter()
            .flat_map(|day| {
                [
                    (Stat::Processed, Some(&**day)),
                    (Stat::Failed, Some(&**day)),
                ]
            })
            .collect();
        let counts = self
            .store()
            .counters(&which)
            .await
            .map_err(ApiError::unavailable)?;
        let day = |(date, counts): (NaiveDate, &[u64])| DayStats {
            date,
            processed: counts[0],
            failed: counts[1],
        };
        Ok(dates.into_iter().zip(counts.chunks(2)).map(day).collect())
    }

    /// Sets the totals of these counters to zero; their days stay.
    ///
    /// # Errors
    /// A store that gives no answer, or refuses.
    pub async fn reset_stats(&self, which: &[Stat]) -> Result<(), ApiError> {
        let reset = which.iter().copied().map(Effect::Reset).collect();
        self.act(Tx::always(reset)).await.map(|_| ())
    }
}
