//! Cancelling a job, wherever it is.

use std::time::Duration;

use bytes::Bytes;

use super::error::not_empty;
use super::iteration::end_iteration;
use super::{Acted, Api, ApiError};
use crate::client::{Client, default};
use crate::engine;
use crate::job::payload::Record;
use crate::store::{ClaimId, Effect, Guard, PlaceName, TimedSet, Tx, keys};

/// How long an order to cancel stands.
const ORDER_TTL: Duration = Duration::from_secs(60);

/// How long it is known that a running job was cancelled, so that it goes back to no place.
const MARK_TTL: Duration = Duration::from_secs(60 * 60);

/// How often it is looked for a job that moves while it is looked for.
const MOST_ROUNDS: usize = 3;

/// What became of a job that was cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cancelled {
    /// It waited there, and was taken out: it will not run.
    Removed(PlaceName),
    /// It runs, and its process was told. It sees it ([`Context::cancelled`](crate::Context::cancelled)) within a second mostly, has one more
    /// to return, and is dropped then. Whatever comes of it, it is not tried again, and goes back to no place.
    Told,
    /// A process of Ruby's says that it runs it. It was told as Sidekiq's `cancel!` does: if it iterates, it obeys at its next step;
    /// otherwise it runs on.
    Asked {
        /// The identity of the process.
        process: String,
    },
    /// It neither waits nor runs: it is done, or dead, or never was.
    NotFound,
}

/// Cancels a job of the default client's store, wherever it is. See [`Api::cancel`].
///
/// ```
/// # use sancho::{Client, Config, job};
/// use sancho::api::Cancelled;
///
/// #[job]
/// async fn import(path: String) {
///     # let _ = path;
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # sancho::init(Config::new().store("memory:")).await?;
/// let jid = import::perform_async("users.csv".into()).await?;
/// assert!(matches!(sancho::cancel(jid.as_str()).await?, Cancelled::Removed(_)));
/// assert_eq!(sancho::cancel(jid.as_str()).await?, Cancelled::NotFound);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// A default client that cannot be connected; those of [`Api::cancel`].
pub async fn cancel(jid: &str) -> Result<Cancelled, ApiError> {
    let client = default::client().await;
    let client = client.map_err(|error| ApiError::Unavailable {
        reason: error.to_string(),
        source: error.into(),
    })?;
    client.cancel(jid).await
}

impl Client {
    /// Cancels a job of this client's store, wherever it is. See [`Api::cancel`].
    ///
    /// # Errors
    /// Those of [`Api::cancel`].
    pub async fn cancel(&self, jid: &str) -> Result<Cancelled, ApiError> {
        Api::new(self).cancel(jid).await
    }
}

impl Api {
    /// Cancels a job, wherever it is: takes it out of its queue, the schedule or the retry set, or has it stopped within 2 s where it
    /// runs, in whichever process. A job of the dead set does not wait, and is left there.
    ///
    /// A running job is found first, in a few round trips, which grow with what runs. One that waits is looked for in the
    /// retry set, the schedule and all queues, O(n): where its place is known, [`Queue::delete`](super::Queue::delete) and
    /// [`JobSet::delete`](super::JobSet::delete) take it out for less. Of several jobs of one id it is one that is cancelled.
    ///
    /// A job that was cancelled while it ran counts as discarded: death handlers are told (`sancho::Cancelled`), unless it was about to go
    /// back to a place. For an hour, a job of its id that fails is not tried again, if the order came too late to be obeyed: so do
    /// not push another of the same id within it.
    ///
    /// # Errors
    /// An empty id; a store that gives no answer, or refuses.
    pub async fn cancel(&self, jid: &str) -> Result<Cancelled, ApiError> {
        not_empty("the id of a job", jid)?;
        for _ in 0..MOST_ROUNDS {
            if self.cancel_running(jid).await? {
                return Ok(Cancelled::Told);
            }
            // In the order in which jobs move, so that one that does so meanwhile is met.
            if let Some(place) = self.cancel_waiting(jid).await? {
                return Ok(Cancelled::Removed(place));
            }
            if self.claim_of(jid).await?.is_none() {
                break;
            }
        }
        self.cancel_elsewhere(jid).await
    }

    /// Tells the process that holds the job.
    async fn cancel_running(&self, jid: &str) -> Result<bool, ApiError> {
        let Some(claim) = self.claim_of(jid).await? else {
            return Ok(false);
        };
        let order = engine::order(&claim, ORDER_TTL);
        let mark = Effect::Set {
            key: keys::cancelled(jid),
            value: self.now().as_millis().to_string().into(),
            ttl: Some(MARK_TTL),
        };
        // Where the order comes too late, nothing of the job is left to take this back.
        let ends = end_iteration(jid, self.now(), MARK_TTL);
        let tell = Tx::when(Guard::Holds(claim), vec![order, mark, ends]);
        Ok(self.act(tell).await?.is_done())
    }

    /// The claim of a job that one of our processes holds.
    async fn claim_of(&self, jid: &str) -> Result<Option<ClaimId>, ApiError> {
        let store = self.store();
        let owners = store.owners().await.map_err(ApiError::unavailable)?;
        for owner in owners.into_iter().filter(|owner| owner.held > 0) {
            let held = usize::try_from(owner.held).unwrap_or(usize::MAX);
            let claims = store.claims(&owner.owner, held).await;
            for claimed in claims.map_err(ApiError::unavailable)? {
                let record = Record::parse(claimed.payload);
                if record.is_ok_and(|record| record.jid().as_str() == jid) {
                    return Ok(Some(ClaimId {
                        owner: owner.owner,
                        token: claimed.token,
                    }));
                }
            }
        }
        Ok(None)
    }

    /// Takes the job out of where it waits, with how far it has come.
    async fn cancel_waiting(&self, jid: &str) -> Result<Option<PlaceName>, ApiError> {
        for set in [TimedSet::Retry, TimedSet::Schedule] {
            if let Some(entry) = self.set(set).find(jid).await? {
                let place = PlaceName::Timed(set);
                let payload = entry.payload().clone();
                if self.take(jid, place.clone(), payload).await?.is_done() {
                    return Ok(Some(place));
                }
            }
        }
        for queue in self.queues().await? {
            if let Some(job) = self.queue(&queue.name)?.find(jid).await? {
                let place = PlaceName::queue(&queue.name);
                let payload = job.payload().clone();
                if self.take(jid, place.clone(), payload).await?.is_done() {
                    return Ok(Some(place));
                }
            }
        }
        Ok(None)
    }

    async fn take(&self, jid: &str, place: PlaceName, payload: Bytes) -> Result<Acted, ApiError> {
        let stands = Guard::Contains(place.clone(), payload.clone());
        let take = Effect::Take(place, payload);
        let forget = Effect::Unset(keys::iteration(jid));
        self.act(Tx::when(stands, vec![take, forget])).await
    }

    /// Asks a process of Ruby's.
    async fn cancel_elsewhere(&self, jid: &str) -> Result<Cancelled, ApiError> {
        let Some(work) = self.find_work(jid).await? else {
            return Ok(Cancelled::NotFound);
        };
        // What ours tell of their work is some seconds old: it is done by now.
        let process = self.process(&work.process).await?;
        if process.is_none_or(|process| process.labels.iter().any(|label| label == engine::LABEL)) {
            return Ok(Cancelled::NotFound);
        }
        self.cancel_iteration(jid).await?;
        Ok(Cancelled::Asked {
            process: work.process,
        })
    }
}
