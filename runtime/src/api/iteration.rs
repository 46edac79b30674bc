//! How far jobs that iterate have come, and telling a job to end.

use std::time::Duration;

use super::error::not_empty;
use super::{Acted, Api, ApiError};
use crate::job::checkpoint::CANCELLED;
use crate::job::{Iteration, Timestamp};
use crate::store::{Effect, Guard, Tx, keys};

impl Api {
    /// How far these jobs have come, in the order asked; `None` for one that does not iterate, has not started, or is done.
    ///
    /// # Errors
    /// A store that gives no answer.
    pub async fn iterations<T: AsRef<str>>(
        &self,
        jids: &[T],
    ) -> Result<Vec<Option<Iteration>>, ApiError> {
        let keys: Vec<_> = jids
            .iter()
            .map(|jid| keys::iteration(jid.as_ref()))
            .collect();
        let fields = self.fields_of(&keys).await?;
        Ok(fields
            .iter()
            .map(|fields| Iteration::read(fields))
            .collect())
    }

    /// How far a job has come.
    ///
    /// # Errors
    /// An empty id; a store that gives no answer.
    pub async fn iteration(&self, jid: &str) -> Result<Option<Iteration>, ApiError> {
        not_empty("the id of a job", jid)?;
        Ok(self.iterations(&[jid]).await?.pop().flatten())
    }

    /// Tells a job that iterates to end, as Sidekiq's `cancel!` does, and gives when it was first told so. It obeys at its next step, or
    /// when it is started; others may ask for it. Any job is ended by [`cancel`](Self::cancel).
    ///
    /// ```
    /// # use sancho::{Client, Config, api::Api};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let api = Api::new(&Client::connect(Config::new().store("memory:")).await?);
    /// let first = api.cancel_iteration("d3ab86bad86a8fc45845636e").await?;
    /// assert_eq!(api.cancel_iteration("d3ab86bad86a8fc45845636e").await?, first);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// An empty id; a store that gives no answer, or refuses.
    pub async fn cancel_iteration(&self, jid: &str) -> Result<Timestamp, ApiError> {
        not_empty("the id of a job", jid)?;
        let seconds = self.now().as_millis().div_euclid(1_000);
        let now = Timestamp::from_millis(seconds.saturating_mul(1_000));
        let first = Guard::AbsentField(keys::iteration(jid), CANCELLED.into());
        match self
            .act(Tx::when(
                first,
                vec![end_iteration(jid, now, Iteration::KEPT_FOR)],
            ))
            .await?
        {
            Acted::Done => Ok(now),
            Acted::Gone => {
                let iteration = self.iteration(jid).await?;
                Ok(iteration.and_then(|it| it.cancelled).unwrap_or(now))
            }
        }
    }
}

/// What tells a job that iterates to end. Its state is kept for so long from now on.
pub(super) fn end_iteration(jid: &str, now: Timestamp, ttl: Duration) -> Effect {
    let seconds = now.as_millis().div_euclid(1_000);
    Effect::SetFields {
        key: keys::iteration(jid),
        fields: vec![(CANCELLED.into(), seconds.to_string().into())],
        ttl: Some(ttl),
    }
}
