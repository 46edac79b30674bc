//! How far jobs that iterate have come, and telling a job to end.

use std::time::Duration;

use super::error::not_empty;
use super::{Acted, Api, ApiError};
use crate::job::Timestamp;
use crate::store::{Effect, Fields, Guard, Tx, keys};

/// How long the state of an iteration is kept, as in Sidekiq.
const KEEP_STATE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// When a job was told to end, in whole seconds.
const CANCELLED: &str = "cancelled";

/// How far a job that iterates has come, as it last said.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Iteration {
    /// How often it was started.
    pub executions: u64,
    /// Where it goes on, as JSON text.
    pub cursor: Option<String>,
    /// How long it ran so far.
    pub runtime: Duration,
    /// When it was told to end.
    pub cancelled: Option<Timestamp>,
}

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
        Ok(fields.iter().map(Iteration::read).collect())
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
            .act(Tx::when(first, vec![end_iteration(jid, now)]))
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

/// What tells a job that iterates to end.
pub(super) fn end_iteration(jid: &str, now: Timestamp) -> Effect {
    let seconds = now.as_millis().div_euclid(1_000);
    Effect::SetFields {
        key: keys::iteration(jid),
        fields: vec![(CANCELLED.into(), seconds.to_string().into())],
        ttl: Some(KEEP_STATE),
    }
}

impl Iteration {
    fn read(fields: &Fields) -> Option<Self> {
        if fields.is_empty() {
            return None;
        }
        let text = |name: &str| {
            let (_, value) = fields.iter().find(|(field, _)| field == name)?;
            std::str::from_utf8(value).ok()
        };
        let number = |name: &str| text(name).and_then(|text| text.parse::<f64>().ok());
        Some(Self {
            executions: text("ex")
                .and_then(|ex| ex.parse().ok())
                .unwrap_or_default(),
            cursor: text("c").map(ToOwned::to_owned),
            runtime: number("rt")
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                .unwrap_or_default(),
            cancelled: number(CANCELLED).map(Timestamp::from_score),
        })
    }
}
