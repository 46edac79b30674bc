//! Moving everything from one store to another.

use std::collections::VecDeque;
use std::time::Duration;

use super::change::Changes;
use super::{Api, ApiError, MAX_PAGE};
use crate::store::{
    Claim, ClaimId, ClaimRequest, Claimed, Effect, End, Entry, Guard, Members, Order, Owner, Place,
    PlaceName, Registration, Source, Stat, TimedSet, Tx, TxResult,
};

/// What the destination remembers of the page under way, so that a move that was cut off places nothing twice.
const PLACED: &str = "sancho:move";

/// For how long it remembers.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long the jobs of a page are held; a page takes far less.
const LEASE: Duration = Duration::from_secs(12);

/// How many jobs are moved at once.
const PAGE: usize = 500;

/// A move of everything from one store to another, a page at a time: [`Api::move_to`].
#[derive(Debug)]
#[must_use = "nothing is moved unless `next` or `finish` is awaited"]
pub struct Relocation {
    from: Api,
    taken: Changes,
    placed: Changes,
    owner: Owner,
    /// Of the owner's last claim.
    seq: u64,
    places: VecDeque<PlaceName>,
    progress: Option<Relocated>,
}

/// How far a [`Relocation`] is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Relocated {
    /// How many jobs stood there when it began.
    pub total: u64,
    /// How many have been moved.
    pub moved: u64,
    /// How many the destination had already, since a move was cut off between the two stores.
    pub already: u64,
    /// The place that is being moved: `schedule`, `retry`, `dead`, or a queue.
    pub place: String,
}

impl Api {
    /// Moves all jobs, pauses, entries of the cron and total counters to another store: for the day when one machine is no longer enough.
    ///
    /// Payloads keep their bytes, entries their times, queues their order; what the destination has already stands before. Each page is
    /// placed there and then taken here, so a move that is cut off at any point loses nothing, and going on with a new one
    /// places nothing twice. Of jobs that stand in a queue as the very same bytes one is left. What is pushed here meanwhile is
    /// moved as well, until nothing is left. Processes, the counters of single days and the metrics stay.
    pub fn move_to(&self, destination: &Self) -> Relocation {
        Relocation {
            from: self.clone(),
            taken: Changes::new(self),

            placed: Changes::new(destination),
            owner: Owner::random(),
            seq: 0,
            places: VecDeque::new(),
            progress: None,
        }
    }
}

impl Relocation {
    /// Moves the next page, and says how far it is; `None` when everything is moved.
    ///
    /// # Errors
    /// Processes that still take jobs here, or hold some: nothing was moved. A store that gives no answer, or refuses: what was moved
    /// stays moved; a new move goes on.
    pub async fn next(&mut self) -> Result<Option<Relocated>, ApiError> {
        if self.progress.is_none() {
            self.begin().await?;
        }
        while let Some(place) = self.places.front().cloned() {
            let moved = match &place {
                PlaceName::Timed(set) => self.timed(*set).await?,
                PlaceName::Queue(queue) => self.queue(queue).await?,
            };
            if let Some(progress) = self.progress.as_mut().filter(|_| moved > 0) {
                progress.moved += moved;
                progress.place = match &place {
                    PlaceName::Timed(set) => set.name().to_owned(),
                    PlaceName::Queue(queue) => queue.to_string(),
                };
                return Ok(Some(progress.clone()));
            }
            self.places.pop_front();
        }
        self.end().await?;
        Ok(None)
    }

    /// Moves all of it, and says what was moved.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn finish(mut self) -> Result<Relocated, ApiError> {
        while self.next().await?.is_some() {}
        Ok(self.progress.unwrap_or_default())
    }

    async fn begin(&mut self) -> Result<(), ApiError> {
        let busy: Vec<_> = self.from.processes().await?;
        if let Some(process) = busy
            .iter()
            .find(|process| !process.quiet || process.busy > 0)
        {
            return Err(ApiError::invalid(format!(
                "the process {} takes jobs from the store that is to be moved: stop it first",
                process.identity
            )));
        }
        let stats = self.from.stats().await?;
        if stats.claimed > 0 {
            return Err(ApiError::invalid(format!(
                "{} jobs are in the hands of processes that are gone: `doctor` puts them back, some seconds after their end",
                stats.claimed
            )));
        }
        let store = self.from.store();
        let paused = store.members(Members::Paused).await;
        let paused = paused.map_err(ApiError::unavailable)?;
        // There first, so that a queue is never unpaused in both.
        let member = |join: fn(Members, Box<str>) -> Effect| {
            let effects = paused
                .iter()
                .map(|name| join(Members::Paused, name.as_str().into()));
            effects.collect::<Vec<_>>()
        };
        applied(
            &self
                .placed
                .commit(vec![Tx::always(member(Effect::Join))])
                .await?,
        )?;
        applied(
            &self
                .taken
                .commit(vec![Tx::always(member(Effect::Leave))])
                .await?,
        )?;
        let renewed = store.renew(&self.owner, LEASE, Registration::First).await;
        renewed.map_err(ApiError::unavailable)?;
        self.places = TimedSet::ALL.map(PlaceName::Timed).into();
        let queues = self.from.queues().await?.into_iter();
        self.places
            .extend(queues.map(|queue| PlaceName::Queue(queue.name.into())));
        self.progress = Some(Relocated {
            total: stats.enqueued + stats.scheduled + stats.retries + stats.dead,
            ..Relocated::default()
        });
        Ok(())
    }

    async fn timed(&mut self, set: TimedSet) -> Result<u64, ApiError> {
        let page = self
            .from
            .page(&set.into(), Order::Forward, 0, PAGE.min(MAX_PAGE))
            .await?;
        let put = |entry: &Entry| {
            let at = entry.at.unwrap_or_default();
            (entry.payload.clone(), Place::Timed { set, at })
        };
        self.place(set.name(), page.entries.iter().map(put).collect())
            .await?;
        let take = |entry: Entry| Tx::always(vec![Effect::Take(set.into(), entry.payload)]);
        let count = page.entries.len() as u64;
        self.take(page.entries.into_iter().map(take).collect())
            .await?;
        Ok(count)
    }

    /// A queue is emptied by claims: taking a job out of the middle of a long one would go through all of it.
    async fn queue(&mut self, queue: &std::sync::Arc<str>) -> Result<u64, ApiError> {
        let renewed = self
            .from
            .store()
            .renew(&self.owner, LEASE, Registration::Known);
        renewed.await.map_err(ApiError::unavailable)?;
        self.seq += 1;
        let request = ClaimRequest {
            owner: self.owner.clone(),
            seq: self.seq,
            sources: vec![Source {
                queue: queue.clone(),
                share: 0,
            }],
            limit: PAGE,
        };
        let jobs = match self.from.store().claim(&request).await {
            Ok(Claim::Taken { jobs, .. }) => jobs,
            Ok(Claim::Evicted | Claim::Stale) => {
                return Err(ApiError::refused(
                    "the jobs of a page were held for too long; move again",
                ));
            }
            Err(error) => return Err(ApiError::unavailable(error)),
        };
        let put = |job: &Claimed| {
            let place = Place::Queue {
                name: queue.clone(),
                end: End::Tail,
            };
            (job.payload.clone(), place)
        };
        self.place(queue, jobs.iter().map(put).collect()).await?;
        let count = jobs.len() as u64;
        let release = |job: Claimed| {
            let claim = ClaimId {
                owner: self.owner.clone(),
                token: job.token,
            };
            Tx::when(Guard::Holds(claim.clone()), vec![Effect::Release(claim)])
        };
        let releases = jobs.into_iter().map(release).collect();
        self.take(releases).await?;
        Ok(count)
    }

    /// Places payloads at the destination that a move which was cut off has not placed.
    async fn place(
        &mut self,
        from: &str,
        payloads: Vec<(bytes::Bytes, Place)>,
    ) -> Result<(), ApiError> {
        let place = |(payload, place): (bytes::Bytes, Place)| {
            let field: Box<str> = format!("{from} {}", payload.escape_ascii()).into();
            let remember = Effect::SetFields {
                key: PLACED.into(),
                fields: vec![(field.clone(), bytes::Bytes::new())],
                ttl: Some(REMEMBERED),
            };
            Tx::when(
                Guard::AbsentField(PLACED.into(), field),
                vec![Effect::Put(payload, place), remember],
            )
        };
        if payloads.is_empty() {
            return Ok(());
        }
        let results = self
            .placed
            .commit(payloads.into_iter().map(place).collect())
            .await?;
        applied(&results)?;
        let refused = results
            .iter()
            .filter(|result| matches!(result, TxResult::Refused { .. }));
        if let Some(progress) = &mut self.progress {
            progress.already += refused.count() as u64;
        }
        Ok(())
    }

    /// Takes what was placed away, and lets the destination forget the page.
    async fn take(&mut self, txs: Vec<Tx>) -> Result<(), ApiError> {
        if txs.is_empty() {
            return Ok(());
        }
        applied(&self.taken.commit(txs).await?)?;
        let forget = Tx::always(vec![Effect::Unset(PLACED.into())]);
        applied(&self.placed.commit(vec![forget]).await?)
    }

    /// Carries the cron and the counters over and gives the lease up.
    async fn end(&mut self) -> Result<(), ApiError> {
        let (put, take) = self.from.cron().carried().await?;
        if !put.is_empty() {
            applied(&self.placed.commit(put).await?)?;
            applied(&self.taken.commit(take).await?)?;
        }
        let stats = self.from.stats().await?;
        let totals = [
            (Stat::Processed, stats.processed),
            (Stat::Failed, stats.failed),
        ];
        let counts = totals.into_iter().filter(|(_, total)| *total > 0);
        let add: Vec<_> = counts
            .map(|(stat, total)| Effect::Count(stat, total))
            .collect();
        if !add.is_empty() {
            applied(&self.placed.commit(vec![Tx::always(add)]).await?)?;
            let reset = Stat::ALL.map(Effect::Reset).into();
            applied(&self.taken.commit(vec![Tx::always(reset)]).await?)?;
        }
        let left = self
            .from
            .store()
            .renew(&self.owner, Duration::ZERO, Registration::Known);
        left.await.map(|_| ()).map_err(ApiError::unavailable)
    }
}

/// Nothing of it was refused by the store itself.
fn applied(results: &[TxResult]) -> Result<(), ApiError> {
    let failed = results.iter().find_map(|result| match result {
        TxResult::Failed { error } => Some(error.clone()),
        _ => None,
    });
    failed.map_or(Ok(()), |error| Err(ApiError::refused(error)))
}
