//! Making the ticks of the cron's entries: each once, by whichever process is first.
//!
//! It sleeps until the next tick, or until an entry is changed. A tick is read anew before it is made, so what changed a moment ago
//! counts; and it is a transaction that is refused where another process has made it, or where the entry is disabled.

mod declared;
mod due;
pub(crate) mod in_test;
mod left;
mod plan;
pub(crate) mod stored;
mod tend;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Engine;
use super::insist::CommitLane;
use super::points::Point;
use crate::client::{Client, NewJob, PushError, of_definition};
use crate::job::cron::CronEntry;
use crate::job::{Timestamp, one_line, short};
use crate::store::{Interest, Tx, TxResult, keys};
pub(super) use declared::{Declared, ScheduleFile};
pub(crate) use declared::{origin_of_file, read as read_file};
use due::due;
pub(super) use plan::Plan;
use stored::{Run, Stored};
use tend::Tended;

/// How long it sleeps at most: a belt for changes that were not told.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// How long an answer to a tick is waited for. After that it is looked anew: a tick that waits for hours in a process that is cut off would
/// come when nobody remembers that it was made.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long client middleware may take.
const LONGEST_PUSH: Duration = Duration::from_secs(10);

/// How long it rests where the store could not take a tick.
const FAILED_REST: Duration = Duration::from_secs(1);

pub(super) struct Cron {
    engine: Arc<Engine>,
    client: Client,
    declared: Arc<Declared>,
    tended: Tended,
    lane: CommitLane,
    interest: Interest,
    known: BTreeMap<String, Known>,
    /// What was told of changes, the last time it was looked.
    changes: Option<(Vec<Bytes>, Instant)>,
    /// Entries that were warned about.
    warned: HashSet<String>,
    failing: bool,
}

/// An entry, up to when its ticks were looked at, and its next one.
struct Known {
    stored: Stored,
    seen: Timestamp,
    next: Option<Timestamp>,
}

impl Cron {
    pub(super) fn new(engine: Arc<Engine>, client: Client) -> Self {
        Self {
            engine,
            client,
            declared: Arc::default(),
            tended: Tended::default(),
            lane: CommitLane::new(),
            interest: Interest::lists(),
            known: BTreeMap::new(),
            changes: None,
            warned: HashSet::new(),
            failing: false,
        }
    }

    /// Runs until the server stops, or is quiet. A step that is cut off has made each tick wholly or not at all.
    pub(super) async fn run(mut self, stopping: CancellationToken) {
        let work = async {
            loop {
                let done = self.declare().await && self.step().await;
                if done {
                    self.wait().await;
                } else {
                    sleep(FAILED_REST).await;
                }
            }
        };
        stopping.run_until_cancelled(work).await;
    }

    /// Makes the ticks that are due; whether the store could take them.
    async fn step(&mut self) -> bool {
        if self.look().await {
            if !self.tend().await {
                return false;
            }
            // What was just changed.
            self.look().await;
        }
        let now = self.engine.clock.now();
        let due = |known: &&Known| known.next.is_some_and(|next| next <= now);
        let names: Vec<_> = self
            .known
            .values()
            .filter(due)
            .map(|known| known.stored.name.clone())
            .collect();
        if names.is_empty() {
            return true;
        }
        // What is read is newer than `now`, so it knows what others made of that.
        self.take_in(names.clone()).await;
        let (mut txs, mut made) = (Vec::new(), Vec::new());
        for name in &names {
            if let Some((known, entry, ticks)) = self.ticks(name, now) {
                for (tick, more) in ticks.into_iter().zip(1..) {
                    txs.push(self.tick(&known, &entry, tick, more, now).await);
                    made.push((name, tick));
                }
            }
        }
        self.engine.points.reach(Point::Ticking);
        let Ok(results) = self.commit(txs).await else {
            return false;
        };
        self.engine.points.reach(Point::Ticking);
        // What is not as it was read has perhaps another tick to make: it is read anew.
        let again = |result: &TxResult| {
            matches!(result, TxResult::Failed { .. }) || stored::is_outdated(result)
        };
        let open: HashSet<_> = (results.iter().zip(&made))
            .filter(|(result, _)| again(result))
            .map(|(_, (name, _))| *name)
            .collect();
        for name in &names {
            if let Some(known) = self.known.get_mut(name)
                && !open.contains(name)
            {
                known.look_on_from(known.seen.max(now));
            }
        }
        for ((name, tick), result) in made.iter().zip(&results) {
            if *result == TxResult::Applied {
                let late = now.since(*tick);
                self.engine.observed().cron_lag.observe(late);
                tracing::debug!("the cron entry {} has come, {late:?} late", one_line(name));
            }
        }
        !self.report(&results)
    }

    /// Reads all entries, where one was changed or it was long ago; whether that was so.
    async fn look(&mut self) -> bool {
        let key = keys::CRON_CHANGES.into();
        let (store, away) = (self.engine.store.clone(), self.engine.away.clone());
        let changes = away.insist(|| store.list(&key)).await;
        if let Some((known, at)) = &self.changes
            && *known == changes
            && at.elapsed() < self.tended.look_within()
        {
            return false;
        }
        self.changes = Some((changes, Instant::now()));
        let all = self.read_all().await;
        let names: HashSet<_> = all.iter().map(|stored| stored.name.clone()).collect();
        self.known.retain(|name, _| names.contains(name));
        self.remember(all);
        true
    }

    async fn read_all(&self) -> Vec<Stored> {
        let (store, away) = (self.engine.store.clone(), self.engine.away.clone());
        let names = away.insist(|| stored::names(store.as_ref())).await;
        self.read(names).await
    }

    async fn read(&self, names: Vec<String>) -> Vec<Stored> {
        if names.is_empty() {
            return Vec::new();
        }
        let (store, away) = (self.engine.store.as_ref(), &self.engine.away);
        let (hashes, disabled) = (stored::hashes(&names), stored::disabled(&names));
        let hashes = away.insist(|| store.fields(&hashes)).await;
        let disabled = away.insist(|| store.values(&disabled)).await;
        stored::read(names, hashes, disabled)
    }

    /// Reads these entries anew; those that are gone are forgotten.
    async fn take_in(&mut self, names: Vec<String>) {
        let read = self.read(names.clone()).await;
        for name in names {
            if !read.iter().any(|stored| stored.name == name) {
                self.known.remove(&name);
            }
        }
        self.remember(read);
    }

    fn remember(&mut self, read: Vec<Stored>) {
        for stored in read {
            self.warn(&stored);
            // What begins anew has ticks of its own.
            let before = self.known.get(&stored.name);
            let seen = before
                .filter(|known| known.stored.since == stored.since)
                .map_or(stored.since, |known| known.seen);
            self.known
                .insert(stored.name.clone(), Known::new(stored, seen));
        }
    }

    /// Says once what is wrong with an entry.
    fn warn(&mut self, stored: &Stored) {
        let problem = match &stored.entry {
            Err(error) => format!("cannot be read, and does not come: {error}"),
            Ok(entry) if self.engine.registry.get(entry.class()).is_none() => format!(
                "pushes jobs of the class {}, which this process does not serve: they wait for one that does",
                short(entry.class())
            ),
            Ok(_) => return,
        };
        if self.warned.insert(stored.name.clone()) {
            let (name, problem) = (one_line(&stored.name), one_line(problem));
            tracing::warn!("the cron entry {name} {problem}");
        }
    }

    /// An entry and its ticks that are to be made now.
    fn ticks(&self, name: &str, now: Timestamp) -> Option<(Stored, CronEntry, Vec<Timestamp>)> {
        let known = self.known.get(name)?;
        let entry = known.stored.entry.as_ref().ok()?;
        if !known.stored.enabled {
            return None;
        }
        let ticks = due(entry, known.base(), now);
        Some((known.stored.clone(), entry.clone(), ticks))
    }

    /// The transaction of one tick. Where nothing can be pushed, it says that, and the tick is made all the same.
    async fn tick(
        &self,
        known: &Stored,
        entry: &CronEntry,
        tick: Timestamp,
        more: u64,
        now: Timestamp,
    ) -> Tx {
        let definition = self.engine.registry.get(entry.class());
        let job = match definition {
            Some(definition) => of_definition(definition, String::new()),
            None => NewJob::new(entry.class(), ""),
        };
        let (run, mut tx) = match self.planned(entry.job(job, now), now).await {
            Ok((jid, tx)) => (Run::new(Some(tick), now, Ok(&jid)), tx),
            Err(error) => {
                let (name, error) = (one_line(entry.name()), one_line(&error).to_string());
                tracing::warn!(%error, "the cron entry {name} pushed nothing: {error}");
                (Run::new(Some(tick), now, Err(error)), Tx::default())
            }
        };
        stored::tick(known, entry, tick, more, &run, &mut tx);
        tx
    }

    /// Runs client middleware on a task of its own, where it may panic or hang.
    async fn planned(
        &self,
        job: NewJob,
        now: Timestamp,
    ) -> Result<(crate::job::JobId, Tx), String> {
        let client = self.client.clone();
        let mut work = tokio::spawn(async move { client.planned(job, now).await });
        match timeout(LONGEST_PUSH, &mut work).await {
            Ok(Ok(planned)) => planned.map_err(|error: PushError| error.to_string()),
            Ok(Err(_)) => Err("client middleware panicked".to_owned()),
            Err(_) => {
                work.abort();
                Err(format!("client middleware took more than {LONGEST_PUSH:?}"))
            }
        }
    }

    /// Commits, unless there is no answer for long.
    async fn commit(&mut self, txs: Vec<Tx>) -> Result<Vec<TxResult>, ()> {
        if txs.is_empty() {
            return Ok(Vec::new());
        }
        let (store, away) = (self.engine.store.clone(), self.engine.away.clone());
        let committed = self.lane.commit(store.as_ref(), &away, txs);
        let results = timeout(PATIENCE, committed).await;
        results.map_err(|_| {
            // The batch may have used the next number of its lane.
            self.lane = CommitLane::new();
        })
    }

    /// Says once that ticks cannot be made.
    fn report(&mut self, results: &[TxResult]) -> bool {
        let error = results.iter().find_map(|result| match result {
            TxResult::Failed { error } => Some(error),
            _ => None,
        });
        if let Some(error) = error
            && !self.failing
        {
            let error = one_line(error);
            tracing::error!(%error, "the store could not take what the cron makes, it is tried again: {error}");
        }
        self.failing = error.is_some();
        self.failing
    }

    /// Waits for the next tick, or a change.
    async fn wait(&self) {
        let now = self.engine.clock.now();
        let next = self.known.values().filter_map(|known| known.next).min();
        let longest = self.tended.look_within();
        let until_next = next.map_or(longest, |next| next.since(now));
        tokio::select! {
            biased;
            () = self.engine.handle.plan().changed() => {}
            () = sleep(until_next.min(longest)) => {}
            () = self.engine.wait(&self.interest, LONGEST_SLEEP) => {}
        }
    }
}

impl Known {
    fn new(stored: Stored, seen: Timestamp) -> Self {
        let mut known = Self {
            stored,
            seen,
            next: None,
        };
        known.look_on_from(seen);
        known
    }

    /// Up to when there is nothing more to make.
    fn base(&self) -> Timestamp {
        let mark = self.stored.runs.mark.unwrap_or(self.stored.since);
        self.seen.max(self.stored.since).max(mark)
    }

    fn look_on_from(&mut self, seen: Timestamp) {
        self.seen = seen;
        self.next = match &self.stored.entry {
            Ok(entry) if self.stored.enabled => entry.schedule().next_after(self.base()),
            _ => None,
        };
    }
}

/// Whether an entry is to begin anew: it comes at other times.
pub(crate) fn begins_anew(known: &Stored, entry: &CronEntry) -> bool {
    known
        .entry
        .as_ref()
        .map_or(true, |known| known.schedule() != entry.schedule())
}
