//! The checkpoints of one execution: what was said, what of that is written, and when the rest is.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::{Iteration, JobProgress};
use crate::job::{JobId, Timestamp};

/// How long after a write the next one comes at the earliest, as in Sidekiq.
const WRITTEN_EVERY: Duration = Duration::from_secs(5);

/// Fields that are not written yet.
pub(crate) type Unwritten = Vec<(Box<str>, Bytes)>;

/// Where checkpoints are kept. Only the engine's are kept in a store.
pub(crate) trait Keeper: fmt::Debug + Send + Sync {
    /// The time.
    fn now(&self) -> Timestamp;

    /// What earlier runs have kept. Asks until there is an answer.
    fn load<'a>(&'a self, jid: &'a JobId) -> Answer<'a, Iteration>;

    /// Keeps these fields, unless the job is not this execution's any more, or is cancelled. `number` is that of the attempt: a
    /// lower one that comes late does nothing.
    fn keep<'a>(&'a self, jid: &'a JobId, number: u64, fields: Unwritten) -> Answer<'a, Keeping>;
}

/// What a keeper answers.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What came of keeping something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeping {
    Kept,
    /// The job was told to end. Nothing was kept.
    Cancelled,
    /// The job is another's. Nothing was kept.
    Lost,
    /// There was no answer, or the store could not.
    Unknown,
}

/// The checkpoints of one execution. A job that makes none pays nothing for them.
pub(crate) struct Checkpoints<K: ?Sized = dyn Keeper> {
    state: Mutex<Option<Box<State>>>,
    keeper: K,
}

#[derive(Debug)]
struct State {
    /// As earlier runs left it, with what this one has said.
    iteration: Iteration,
    /// How long earlier runs took.
    runtime_before: Duration,
    began: Timestamp,
    /// How often something was said, and up to which of that it is written.
    said: u64,
    written: u64,
    /// When it was last tried to write, and how often it was.
    tried: Timestamp,
    attempts: u64,
    is_writing: bool,
    /// Whether it was tried since the job was told to stop.
    tried_at_stop: bool,
    is_lost: bool,
    has_set_cursor: bool,
}

impl<K: Keeper> Checkpoints<K> {
    pub(crate) const fn new(keeper: K) -> Self {
        Self {
            state: Mutex::new(None),
            keeper,
        }
    }
}

impl<K: Keeper + ?Sized> Checkpoints<K> {
    /// Reads what earlier runs have kept, once.
    pub(crate) async fn load(&self, jid: &JobId) {
        if self.is_used() {
            return;
        }
        let iteration = self.keeper.load(jid).await;
        let now = self.keeper.now();
        // Another task of the job may have been faster.
        self.lock()
            .get_or_insert_with(|| Box::new(State::after(iteration, now)));
    }

    pub(crate) fn set_cursor(&self, cursor: String) {
        self.say(|iteration| iteration.cursor = Some(cursor));
        self.change(|state| state.has_set_cursor = true);
    }

    /// Whether this run has set a cursor.
    pub(crate) fn has_set_cursor(&self) -> bool {
        let state = self.lock();
        state.as_ref().is_some_and(|state| state.has_set_cursor)
    }

    pub(crate) fn set_progress(&self, progress: JobProgress) {
        self.say(|iteration| iteration.progress = Some(progress));
    }

    /// Says that the job has begun, which counts as an execution even if it gets nowhere.
    pub(crate) fn set_begun(&self) {
        self.say(|_| ());
    }

    /// The last cursor, of whichever run.
    pub(crate) fn cursor(&self) -> Option<String> {
        self.lock().as_ref()?.iteration.cursor.clone()
    }

    /// Which run this is, from 1.
    pub(crate) fn executions(&self) -> u64 {
        let state = self.lock();
        state.as_ref().map_or(1, |state| state.iteration.executions)
    }

    /// Writes what is not written, if that is due: 5 s after the last time, and once when the job is told to stop.
    ///
    /// # Cancel safety
    /// What was not written yet is written the next time.
    pub(crate) async fn flush(&self, jid: &JobId, is_to_stop: bool) {
        let Some(write) = self.begin_write(is_to_stop) else {
            return;
        };
        let writing = Writing(self);
        let keeping = self.keeper.keep(jid, write.attempt, write.fields).await;
        let now = self.keeper.now();
        writing.0.change(|state| match keeping {
            Keeping::Kept => state.written = write.said,
            Keeping::Cancelled => state.iteration.cancelled = Some(now),
            Keeping::Lost => state.is_lost = true,
            Keeping::Unknown => {}
        });
    }

    /// Whether there is nothing more for the job to do here: it was cancelled, or is another's.
    pub(crate) fn is_over(&self) -> bool {
        self.is_cancelled() || self.lock().as_ref().is_some_and(|state| state.is_lost)
    }

    /// Whether the job was seen to be cancelled.
    pub(crate) fn is_cancelled(&self) -> bool {
        let state = self.lock();
        state
            .as_ref()
            .is_some_and(|state| state.iteration.cancelled.is_some())
    }

    /// Whether anything was asked or said.
    pub(crate) fn is_used(&self) -> bool {
        self.lock().is_some()
    }

    /// What was said and is not written, for the transaction that ends the execution.
    pub(crate) fn unwritten(&self) -> Option<Unwritten> {
        let now = self.keeper.now();
        let mut state = self.lock();
        let state = state.as_mut()?;
        (state.written != state.said).then(|| state.fields(now))
    }

    fn begin_write(&self, is_to_stop: bool) -> Option<Write> {
        let now = self.keeper.now();
        let mut state = self.lock();
        let state = state.as_mut()?;
        // A clock that was set back must not stop the writes.
        let is_due = now < state.tried || now.since(state.tried) >= WRITTEN_EVERY;
        let is_last = is_to_stop && !state.tried_at_stop;
        let is_new = state.written != state.said;
        let is_over = state.is_lost || state.iteration.cancelled.is_some();
        if !is_new || !(is_due || is_last) || state.is_writing || is_over {
            return None;
        }
        state.is_writing = true;
        state.tried_at_stop |= is_to_stop;
        state.tried = now;
        state.attempts += 1;
        Some(Write {
            fields: state.fields(now),
            said: state.said,
            attempt: state.attempts,
        })
    }

    fn say(&self, change: impl FnOnce(&mut Iteration)) {
        self.change(|state| {
            change(&mut state.iteration);
            state.said += 1;
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        if let Some(state) = self.lock().as_mut() {
            change(state);
        }
    }

    /// Nothing that holds the lock can panic half-way.
    fn lock(&self) -> MutexGuard<'_, Option<Box<State>>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: ?Sized> fmt::Debug for Checkpoints<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Checkpoints(..)")
    }
}

impl State {
    fn after(mut iteration: Iteration, now: Timestamp) -> Self {
        iteration.executions = iteration.executions.saturating_add(1);
        Self {
            runtime_before: iteration.runtime,
            iteration,
            began: now,
            said: 0,
            written: 0,
            tried: now,
            attempts: 0,
            is_writing: false,
            tried_at_stop: false,
            is_lost: false,
            has_set_cursor: false,
        }
    }

    fn fields(&mut self, now: Timestamp) -> Unwritten {
        self.iteration.runtime = self.runtime_before.saturating_add(now.since(self.began));
        self.iteration.fields()
    }
}

/// A write that is due.
struct Write {
    fields: Unwritten,
    /// Up to what.
    said: u64,
    attempt: u64,
}

/// A write under way: one at a time.
struct Writing<'a, K: Keeper + ?Sized>(&'a Checkpoints<K>);

impl<K: Keeper + ?Sized> Drop for Writing<'_, K> {
    fn drop(&mut self) {
        self.0.change(|state| state.is_writing = false);
    }
}

/// Keeps nothing: of a job that no server watches, the memory of its context is all there is.
#[derive(Debug)]
pub(crate) struct Memory;

impl Keeper for Memory {
    fn now(&self) -> Timestamp {
        Timestamp::from_wall_clock()
    }

    fn load<'a>(&'a self, _: &'a JobId) -> Answer<'a, Iteration> {
        Box::pin(std::future::ready(Iteration::default()))
    }

    fn keep<'a>(&'a self, _: &'a JobId, _: u64, _: Unwritten) -> Answer<'a, Keeping> {
        Box::pin(std::future::ready(Keeping::Kept))
    }
}
