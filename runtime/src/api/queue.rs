//! Queues.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::error::not_empty;
use super::walk::Walk;
use super::{Acted, Api, ApiError, JobRecord};
use crate::job::Timestamp;
use crate::store::{Effect, End, Guard, Members, Order, Place, PlaceName, QueueInfo, Tx};

/// A queue in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueSummary {
    /// Its name.
    pub name: String,
    /// How many jobs wait.
    pub size: u64,
    /// How long the job that runs next has waited; zero where none does, or where it does not say since when.
    pub latency: Duration,
    /// Whether nothing is taken from it.
    pub paused: bool,
}

/// A queue to look into and to act on.
///
/// Deleting, and moving to the head, look through the queue for the job, inside of the store: fine for one that an operator
/// chose, not for thousands of a long queue.
#[derive(Clone, Debug)]
pub struct Queue {
    api: Api,
    name: Box<str>,
}

/// A part of a queue.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct JobPage {
    /// The jobs, in order.
    pub jobs: Vec<JobRecord>,
    /// The cursor of the next page; `None` after the last.
    pub next: Option<u64>,
}

/// A walk through all jobs of a queue: [`Queue::each`].
#[derive(Debug)]
pub struct Jobs {
    walk: Walk,
    queue: Box<str>,
}

impl Api {
    /// All queues that jobs were pushed to or that are paused, by name. Two round trips or three, which grow with the number of
    /// queues, not of jobs.
    ///
    /// ```
    /// # use sancho::{Client, Config, api::Api};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let api = Api::new(&Client::connect(Config::new().store("memory:")).await?);
    /// for queue in api.queues().await? {
    ///     let state = if queue.paused { "paused" } else { "" };
    ///     println!("{} {} {:?} {state}", queue.name, queue.size, queue.latency);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A store that gives no answer.
    pub async fn queues(&self) -> Result<Vec<QueueSummary>, ApiError> {
        let store = self.store();
        let census = store.census().await.map_err(ApiError::unavailable)?;
        let paused = store
            .members(Members::Paused)
            .await
            .map_err(ApiError::unavailable)?;
        Ok(QueueSummary::all(census.queues, paused, self.now()))
    }

    /// The queue of this name, whether there is anything in it or not.
    ///
    /// ```
    /// # use sancho::{Client, Config, api::Api};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let api = Api::new(&Client::connect(Config::new().store("memory:")).await?);
    /// use sancho::store::Order;
    ///
    /// let queue = api.queue("mailers")?;
    /// queue.pause().await?;
    /// let page = queue.page(Order::Forward, 0, 25).await?;
    /// if let Some(job) = page.jobs.last() {
    ///     assert!(queue.run_next(job).await?.is_done());
    /// }
    /// queue.unpause().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// An empty name.
    pub fn queue(&self, name: &str) -> Result<Queue, ApiError> {
        not_empty("the name of a queue", name)?;
        Ok(Queue {
            api: self.clone(),
            name: name.into(),
        })
    }
}

impl Queue {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its numbers. Costs as much as [`Api::queues`].
    ///
    /// # Errors
    /// A store that gives no answer.
    pub async fn summary(&self) -> Result<QueueSummary, ApiError> {
        let queues = self.api.queues().await?;
        let found = queues.into_iter().find(|queue| *queue.name == *self.name);
        Ok(found.unwrap_or_else(|| QueueSummary::empty(self.name.to_string())))
    }

    /// How many jobs wait. Costs as much as [`Api::queues`].
    ///
    /// # Errors
    /// A store that gives no answer.
    pub async fn size(&self) -> Result<u64, ApiError> {
        Ok(self.summary().await?.size)
    }

    /// How long the job that runs next has waited; zero where none does.
    ///
    /// # Errors
    /// A store that gives no answer.
    pub async fn latency(&self) -> Result<Duration, ApiError> {
        let page = self.page(Order::Forward, 0, 1).await?;
        let next = page.jobs.first();
        Ok(next
            .and_then(|job| job.latency(self.api.now()))
            .unwrap_or_default())
    }

    /// Whether nothing is taken from it.
    ///
    /// # Errors
    /// A store that gives no answer.
    pub async fn is_paused(&self) -> Result<bool, ApiError> {
        let paused = self.api.store().members(Members::Paused).await;
        Ok(paused
            .map_err(ApiError::unavailable)?
            .iter()
            .any(|name| **name == *self.name))
    }

    /// At most `limit` jobs from `cursor` (0, or the last page's `next`) on: forward is what runs next, backward what was pushed
    /// last. A cursor beyond the end gives an empty page.
    ///
    /// # Errors
    /// A limit that is not 1 to [`MAX_PAGE`](super::MAX_PAGE); a store that gives no answer.
    pub async fn page(&self, order: Order, cursor: u64, limit: usize) -> Result<JobPage, ApiError> {
        let page = self.api.page(&self.place(), order, cursor, limit).await?;
        let record = |entry: crate::store::Entry| JobRecord::new(entry.payload, Some(&self.name));
        Ok(JobPage {
            jobs: page.entries.into_iter().map(record).collect(),
            next: page.next,
        })
    }

    /// All jobs, the one that was pushed last first, as in Sidekiq: so that workers, who take from the other end, move nothing.
    /// A round trip for each hundred.
    ///
    /// Jobs may be deleted and pushed meanwhile. One that stays is seen, unless more than a hundred before it go away between two
    /// reads; one may be seen twice where hundreds are pushed.
    #[must_use]
    pub fn each(&self) -> Jobs {
        Jobs {
            walk: Walk::new(&self.api, self.place(), Order::Backward),
            queue: self.name.clone(),
        }
    }

    /// The job with this id. Goes through the whole queue: O(n), a round trip for each hundred.
    ///
    /// # Errors
    /// An empty id; a store that gives no answer.
    pub async fn find(&self, jid: &str) -> Result<Option<JobRecord>, ApiError> {
        not_empty("the id of a job", jid)?;
        let mut jobs = self.each();
        while let Some(job) = jobs.next().await? {
            if job.jid().as_str() == jid {
                return Ok(Some(job));
            }
        }
        Ok(None)
    }

    /// Deletes a job. Of several with the same bytes the one that would run last goes.
    ///
    /// # Errors
    /// A store that gives no answer, or refuses.
    pub async fn delete(&self, job: &JobRecord) -> Result<Acted, ApiError> {
        self.act(job, Vec::new()).await
    }

    /// Moves a job to the head of the queue: it runs next. Its bytes, and so its latency, stay.
    ///
    /// # Errors
    /// A store that gives no answer, or refuses.
    pub async fn run_next(&self, job: &JobRecord) -> Result<Acted, ApiError> {
        let place = self.end(End::Head);
        self.act(job, vec![Effect::Put(job.payload().clone(), place)])
            .await
    }

    /// Puts a payload behind everything that waits, byte for byte: what was exported, for instance. To push a job, use
    /// [`Client::push`](crate::Client::push).
    ///
    /// # Errors
    /// A payload that is no job; a store that gives no answer, or refuses.
    pub async fn put(&self, payload: impl Into<Bytes>) -> Result<(), ApiError> {
        let job = JobRecord::new(payload.into(), None).checked()?;
        let put = Effect::Put(job.payload().clone(), self.end(End::Tail));
        self.api.act(Tx::always(vec![put])).await.map(|_| ())
    }

    /// Deletes all jobs, at once, and forgets the queue, until the next job is pushed to it.
    ///
    /// # Errors
    /// A store that gives no answer, or refuses.
    pub async fn clear(&self) -> Result<(), ApiError> {
        let forget = Effect::Leave(Members::Queues, self.name.clone());
        self.change(vec![Effect::Clear(self.place()), forget]).await
    }

    /// Stops all processes from taking jobs from it; what runs is left alone. Ours obey within 2 s, and Ruby's where they are Sidekiq
    /// Pro.
    ///
    /// # Errors
    /// A store that gives no answer, or refuses.
    pub async fn pause(&self) -> Result<(), ApiError> {
        self.change(vec![Effect::Join(Members::Paused, self.name.clone())])
            .await
    }

    /// Lets processes take jobs from it again.
    ///
    /// # Errors
    /// A store that gives no answer, or refuses.
    pub async fn unpause(&self) -> Result<(), ApiError> {
        self.change(vec![Effect::Leave(Members::Paused, self.name.clone())])
            .await
    }

    /// Takes the job out of the queue, if it stands there, and lets this happen.
    async fn act(&self, job: &JobRecord, mut then: Vec<Effect>) -> Result<Acted, ApiError> {
        then.push(Effect::Take(self.place(), job.payload().clone()));
        let stands = Guard::Contains(self.place(), job.payload().clone());
        self.api.act(Tx::when(stands, then)).await
    }

    async fn change(&self, effects: Vec<Effect>) -> Result<(), ApiError> {
        self.api.act(Tx::always(effects)).await.map(|_| ())
    }

    fn place(&self) -> PlaceName {
        PlaceName::queue(&self.name)
    }

    fn end(&self, end: End) -> Place {
        Place::Queue {
            name: (*self.name).into(),
            end,
        }
    }
}

impl QueueSummary {
    /// These queues and those that are paused, by name.
    pub(super) fn all(queues: Vec<QueueInfo>, paused: Vec<String>, now: Timestamp) -> Vec<Self> {
        let mut all: BTreeMap<String, Self> = queues
            .into_iter()
            .map(|queue| (queue.name.clone(), Self::of(queue, now)))
            .collect();
        for name in paused {
            let queue = all.entry(name.clone()).or_insert_with(|| Self::empty(name));
            queue.paused = true;
        }
        all.into_values().collect()
    }

    fn of(queue: QueueInfo, now: Timestamp) -> Self {
        let latency = queue
            .head
            .and_then(|head| JobRecord::new(head, None).latency(now));
        Self {
            size: queue.size,
            latency: latency.unwrap_or_default(),
            ..Self::empty(queue.name)
        }
    }

    fn empty(name: String) -> Self {
        Self {
            name,
            size: 0,
            latency: Duration::ZERO,
            paused: false,
        }
    }
}

impl Jobs {
    /// The next job; `None` after the last.
    ///
    /// # Errors
    /// A store that gives no answer; asking again goes on.
    pub async fn next(&mut self) -> Result<Option<JobRecord>, ApiError> {
        let entry = self.walk.next().await?;
        Ok(entry.map(|entry| JobRecord::new(entry.payload, Some(&self.queue))))
    }
}
