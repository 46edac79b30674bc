//! Changing: transactions whose answers are asked for until they come.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::{Api, ApiError};
use crate::store::{Batch, Commit, Lane, Tx, TxResult};

/// How long an answer is waited for. Well within [`RECEIPT_TTL`](crate::store::RECEIPT_TTL).
const PATIENCE: Duration = Duration::from_secs(10);

/// The waits between two attempts: doubled from the first to the last.
const RETRY_WAITS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "somebody else may have been faster"]
pub enum Acted {
    /// It was done.
    Done,
    /// The job does not stand there any more: it ran, or somebody else acted on it. Nothing was done.
    Gone,
}

impl Acted {
    /// Whether it was done.
    #[must_use]
    pub fn is_done(self) -> bool {
        self == Self::Done
    }
}

/// A sequence of batches.
#[derive(Debug)]
pub(super) struct Changes {
    api: Api,
    lane: Lane,
    seq: u64,
}

impl Api {
    /// Commits one transaction.
    pub(super) async fn act(&self, mut tx: Tx) -> Result<Acted, ApiError> {
        tx.put_in_order();
        let mut results = Changes::new(self).commit(vec![tx]).await?;
        acted(results.pop())
    }
}

impl Changes {
    pub(super) fn new(api: &Api) -> Self {
        Self {
            api: api.clone(),
            lane: Lane::random(),
            seq: 0,
        }
    }

    /// Commits a batch, and asks again where the answer is lost: the store knows its number, so it is applied once.
    pub(super) async fn commit(&mut self, txs: Vec<Tx>) -> Result<Vec<TxResult>, ApiError> {
        self.seq += 1;
        let batch = Batch {
            lane: self.lane.clone(),
            seq: self.seq,
            txs,
        };
        let deadline = Instant::now() + PATIENCE;
        let (mut wait, longest) = RETRY_WAITS;
        let mut may_be_applied = false;
        loop {
            let error = match timeout_at(deadline, self.api.store().commit(&batch)).await {
                Ok(Ok(Commit::Done(results))) => return Ok(results),
                // Nobody else uses this lane: the store has gone back in time.
                Ok(Ok(Commit::Stale)) | Err(_) => return Err(ApiError::Unknown { source: None }),
                Ok(Err(error)) => error,
            };
            may_be_applied |= !error.is_unsent();
            if Instant::now() + wait >= deadline {
                return Err(if may_be_applied {
                    ApiError::Unknown {
                        source: Some(error.into()),
                    }
                } else {
                    ApiError::unavailable(error)
                });
            }
            sleep(wait).await;
            wait = (wait * 2).min(longest);
        }
    }
}

/// What a transaction came to whose guards ask whether something still stands where it was seen.
pub(super) fn acted(result: Option<TxResult>) -> Result<Acted, ApiError> {
    match result {
        Some(TxResult::Applied) => Ok(Acted::Done),
        Some(TxResult::Refused { .. }) => Ok(Acted::Gone),
        Some(TxResult::Failed { error }) => Err(ApiError::refused(error)),
        None => Err(ApiError::refused("it gave no result")),
    }
}
