//! Moving everything from one store to another.

mod counters;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::change::Changes;
use super::{Api, ApiError, Iteration, JobRecord};
use crate::job::payload::{Edit, splice};
use crate::store::{
    Claim, ClaimId, ClaimRequest, Claimed, Effect, End, Entry, Guard, Key, Members, Order, Owner,
    Place, PlaceName, Registration, Source, Standing, TimedSet, Tx, TxResult, keys,
};

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
    /// The page of a queue that is not let go of yet.
    held: Vec<Claimed>,
    places: VecDeque<PlaceName>,
    /// Whether this round through the places has moved something.
    any: bool,
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
    /// Moves all jobs, pauses, entries of the cron and counters, those of single days too, to another store: for the day when one machine is no longer enough.
    ///
    /// Payloads keep their bytes, entries their times, queues their order; what the destination has already stands before. Each page is
    /// placed there and then taken here, so a move that is cut off at any point loses nothing, and going on with a new one
    /// places nothing twice. Of jobs that stand in a queue as the very same bytes one is left. What is pushed here meanwhile is
    /// moved as well, until nothing is left. Counters are added to those of the destination, each once. What stays is what is kept for
    /// a short time anyway: processes, the metrics of classes and the marks of deploys.
    pub fn move_to(&self, destination: &Self) -> Relocation {
        Relocation {
            from: self.clone(),
            taken: Changes::new(self),
            placed: Changes::new(destination),
            owner: Owner::random(),
            seq: 0,
            held: Vec::new(),
            places: VecDeque::new(),
            any: false,
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
        loop {
            while let Some(place) = self.places.front().cloned() {
                let moved = match &place {
                    PlaceName::Timed(set) => self.timed(*set).await?,
                    PlaceName::Queue(queue) => self.queue(queue).await?,
                };
                if let Some(progress) = self.progress.as_mut().filter(|_| moved > 0) {
                    self.any = true;
                    progress.moved += moved;
                    progress.place = match &place {
                        PlaceName::Timed(set) => set.name().to_owned(),
                        PlaceName::Queue(queue) => queue.to_string(),
                    };
                    return Ok(Some(progress.clone()));
                }
                self.places.pop_front();
            }
            if !self.any {
                break;
            }
            // What was pushed behind it meanwhile, into new queues too.
            self.refuse_used().await?;
            self.begin_round().await?;
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
        self.refuse_used().await?;
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
        self.begin_round().await?;
        self.progress = Some(Relocated {
            total: stats.enqueued + stats.scheduled + stats.retries + stats.dead,
            ..Relocated::default()
        });
        Ok(())
    }

    async fn begin_round(&mut self) -> Result<(), ApiError> {
        let queues = self.from.queues().await?.into_iter();
        self.places = TimedSet::ALL.map(PlaceName::Timed).into();
        self.places
            .extend(queues.map(|queue| PlaceName::Queue(queue.name.into())));
        self.any = false;
        Ok(())
    }

    async fn refuse_used(&self) -> Result<(), ApiError> {
        let mut processes = self.from.processes().await?.into_iter();
        match processes.find(|process| !process.quiet || process.busy > 0) {
            None => Ok(()),
            Some(process) => Err(ApiError::invalid(format!(
                "the process {} takes jobs from the store that is to be moved: stop it first",
                process.identity
            ))),
        }
    }

    async fn timed(&mut self, set: TimedSet) -> Result<u64, ApiError> {
        let page = self.from.page(&set.into(), Order::Forward, 0, PAGE).await?;
        let put = |entry: &Entry| {
            let at = entry.at.unwrap_or_default();
            (entry.payload.clone(), Place::Timed { set, at })
        };
        let count = page.entries.len() as u64;
        let states = self
            .place(set.name(), page.entries.iter().map(put).collect())
            .await?;
        // It holds only while the entry stands there: a worker that was started meanwhile may have taken it.
        let take = |entry: Entry| {
            let contains = Guard::Contains(set.into(), entry.payload.clone());
            Tx::when(contains, vec![Effect::Take(set.into(), entry.payload)])
        };
        let takes = page.entries.into_iter().map(take).collect();
        self.take(set.name(), takes, states).await?;
        Ok(count)
    }

    /// A queue is emptied by claims: taking a job out of the middle of a long one would go through all of it. A page that could not
    /// be placed, or let go of, is held until it is.
    async fn queue(&mut self, queue: &Arc<str>) -> Result<u64, ApiError> {
        let store = self.from.store();
        let renewed = store.renew(&self.owner, LEASE, Registration::Known).await;
        let renewed = renewed.map_err(ApiError::unavailable)?;
        if renewed.standing == Standing::Evicted {
            return Err(ApiError::refused(
                "the jobs of a page were held for too long, and went back to their queue; move again",
            ));
        }
        if self.held.is_empty() {
            self.held = self.claim(queue).await?;
        }
        let put = |job: &Claimed| {
            let place = Place::Queue {
                name: queue.clone(),
                end: End::Tail,
            };
            (job.payload.clone(), place)
        };
        let count = self.held.len() as u64;
        let payloads = self.held.iter().map(put).collect();
        let states = self.place(queue, payloads).await?;
        let release = |job: &Claimed| {
            let claim = ClaimId {
                owner: self.owner.clone(),
                token: job.token,
            };
            Tx::when(Guard::Holds(claim.clone()), vec![Effect::Release(claim)])
        };
        let releases = self.held.iter().map(release).collect();
        self.take(queue, releases, states).await?;
        self.held.clear();
        Ok(count)
    }

    async fn claim(&mut self, queue: &Arc<str>) -> Result<Vec<Claimed>, ApiError> {
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
        loop {
            // The same number gives the same jobs, so an answer that was lost is asked for again.
            match self.from.store().claim(&request).await {
                Ok(Claim::Taken { jobs, .. }) => return Ok(jobs),
                Ok(Claim::Evicted | Claim::Stale) => {
                    return Err(ApiError::refused(
                        "the process that moves was taken for dead; move again",
                    ));
                }
                Err(error) if error.is_unsent() => return Err(ApiError::unavailable(error)),
                Err(_) => {}
            }
        }
    }

    /// Places payloads at the destination that a move which was cut off has not placed, each with how far its job has come; gives the
    /// names of those states.
    async fn place(
        &mut self,
        from: &str,
        payloads: Vec<(Bytes, Place)>,
    ) -> Result<Vec<Key>, ApiError> {
        if payloads.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<Key> = payloads
            .iter()
            .map(|(payload, _)| keys::iteration(JobRecord::read(payload.clone()).jid().as_str()))
            .collect();
        let states = self.from.fields_of(&keys).await?;
        let placed = placed(from);
        let mut moved = Vec::new();
        let mut txs = Vec::with_capacity(payloads.len());
        for ((payload, place), (key, state)) in
            payloads.into_iter().zip(keys.into_iter().zip(states))
        {
            let field = identity(&payload);
            let remember = Effect::SetFields {
                key: placed.clone(),
                fields: vec![(field.clone(), Bytes::new())],
                ttl: Some(REMEMBERED),
            };
            let mut then = vec![Effect::Put(payload, place), remember];
            if !state.is_empty() {
                let field = |(name, value): (String, Bytes)| (name.into(), value);
                then.push(Effect::SetFields {
                    key: key.clone(),
                    fields: state.into_iter().map(field).collect(),
                    ttl: Some(Iteration::KEPT_FOR),
                });
                moved.push(key);
            }
            txs.push(Tx::when(Guard::AbsentField(placed.clone(), field), then));
        }
        let results = self.placed.commit(txs).await?;
        applied(&results)?;
        let refused = results
            .iter()
            .filter(|result| matches!(result, TxResult::Refused { .. }));
        if let Some(progress) = &mut self.progress {
            progress.already += refused.count() as u64;
        }
        Ok(moved)
    }

    /// Takes what was placed away, with its states, and lets the destination forget the page.
    async fn take(
        &mut self,
        from: &str,
        mut txs: Vec<Tx>,
        states: Vec<Key>,
    ) -> Result<(), ApiError> {
        if txs.is_empty() {
            return Ok(());
        }
        if !states.is_empty() {
            txs.push(Tx::always(states.into_iter().map(Effect::Unset).collect()));
        }
        applied(&self.taken.commit(txs).await?)?;
        let forget = Tx::always(vec![Effect::Unset(placed(from))]);
        applied(&self.placed.commit(vec![forget]).await?)
    }

    /// Carries the cron and the counters over and gives the lease up.
    async fn end(&mut self) -> Result<(), ApiError> {
        let (put, take) = self.from.cron().carried().await?;
        if !put.is_empty() {
            applied(&self.placed.commit(put).await?)?;
            applied(&self.taken.commit(take).await?)?;
        }
        self.carry_counters().await?;
        let left = self
            .from
            .store()
            .renew(&self.owner, Duration::ZERO, Registration::Known);
        left.await.map(|_| ()).map_err(ApiError::unavailable)
    }
}

/// What the destination remembers of the page under way of a place, so that a move that was cut off places nothing twice.
fn placed(from: &str) -> Key {
    format!("sancho:move:{from}").into()
}

/// What tells a payload from others, though it may have been recovered since.
fn identity(payload: &Bytes) -> Box<str> {
    let edits = [Edit::Remove("sancho_recoveries")];
    let plain = splice(payload, &edits).map_or_else(|| payload.clone(), Bytes::from);
    plain.escape_ascii().to_string().into()
}

/// Nothing of it was refused by the store itself.
fn applied(results: &[TxResult]) -> Result<(), ApiError> {
    let failed = results.iter().find_map(|result| match result {
        TxResult::Failed { error } => Some(error.clone()),
        _ => None,
    });
    failed.map_or(Ok(()), |error| Err(ApiError::refused(error)))
}
