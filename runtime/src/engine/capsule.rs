//! Capsules: groups of slots with queues of their own, in one process.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::endings::Endings;
use super::queues::{Draw, Mode, Queues, ServedQueue};
use super::slots::Slots;
use crate::{Error, Result};

/// The name of the capsule that every server has.
pub(crate) const DEFAULT: &str = "default";

/// The most jobs at once.
pub(crate) const MOST_CONCURRENCY: usize = 100_000;

/// Describes a capsule: so many slots for these queues, beside those of the server. As Sidekiq's capsules.
///
/// ```
/// # fn describe() {
/// use sancho::runtime::{Capsule, Server};
///
/// let server = Server::builder().capsule(Capsule::named("one_by_one").queues(["reports"]).concurrency(1));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a capsule is described in vain unless it is given to a server"]
pub struct Capsule {
    name: Arc<str>,
    concurrency: Option<usize>,
    queues: Option<Vec<ServedQueue>>,
}

impl Capsule {
    /// A capsule of this name. `default` is the one that the server's own `queues` and `concurrency` describe.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            concurrency: None,
            queues: None,
        }
    }

    /// How many of its jobs run at once. Defaults to what the server's own `concurrency` is.
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.concurrency = Some(jobs);
        self
    }

    /// Its queues, as [`ServerBuilder::queues`](super::ServerBuilder::queues) takes them. Defaults to `default`.
    pub fn queues<T: Into<ServedQueue>>(mut self, queues: impl IntoIterator<Item = T>) -> Self {
        self.queues = Some(queues.into_iter().map(Into::into).collect());
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The queues that were said.
    pub(crate) fn said_queues(&self) -> Option<&[ServedQueue]> {
        self.queues.as_deref()
    }

    /// The concurrency that was said.
    pub(crate) fn said_concurrency(&self) -> Option<usize> {
        self.concurrency
    }

    /// This one, and where it says nothing, what the other says.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            name: self.name,
            concurrency: self.concurrency.or(other.concurrency),
            queues: self.queues.or(other.queues),
        }
    }
}

/// A capsule of a server, which may be changed while it runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CapsuleHandle(pub(super) Arc<CapsuleState>);

/// A capsule of a server.
#[derive(Debug)]
pub(super) struct CapsuleState {
    name: Arc<str>,
    shape: Mutex<Shape>,
    /// Counts the changes of its shape.
    version: AtomicU64,
    /// Notified when its shape was changed.
    pub(super) changed: Notify,
    /// Notified when the owner was evicted outside of its own turns.
    pub(super) evicted: Notify,
    pub(super) slots: Slots,
    pub(super) endings: Endings,
}

/// What a capsule is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) concurrency: usize,
    pub(super) queues: Queues,
    pub(super) paused: BTreeSet<Arc<str>>,
}

impl CapsuleState {
    /// # Errors
    /// What cannot be served.
    pub(super) fn new(described: Capsule, concurrency: usize) -> Result<Self> {
        let wrong = |error: Error| match &*described.name {
            DEFAULT => error,
            name => Error::config(format!("the capsule {name:?}: {error}")),
        };
        if described.name.is_empty() {
            return Err(Error::config("a capsule's name is empty"));
        }
        let concurrency = described.concurrency.unwrap_or(concurrency);
        check_concurrency(concurrency).map_err(wrong)?;
        let queues = match described.queues {
            Some(queues) => Queues::new(queues).map_err(wrong)?,
            None => Queues::default(),
        };
        Ok(Self {
            name: described.name,
            shape: Mutex::new(Shape {
                concurrency,
                queues,
                paused: BTreeSet::new(),
            }),
            version: AtomicU64::new(0),
            changed: Notify::new(),
            evicted: Notify::new(),
            slots: Slots::default(),
            endings: Endings::default(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(super) fn shape(&self) -> Shape {
        self.lock().clone()
    }

    pub(super) fn draw(&self) -> Draw {
        let shape = self.lock();
        Draw::new(&shape.queues, &shape.paused)
    }

    /// Changes its shape, unless what is made of it is refused. Whether it is another one now.
    fn change(&self, change: impl FnOnce(&mut Shape) -> Result<()>) -> Result<bool> {
        let mut shape = self.lock();
        let mut next = shape.clone();
        change(&mut next)?;
        let is_news = *shape != next;
        *shape = next;
        drop(shape);
        if is_news {
            self.version.fetch_add(1, Ordering::AcqRel);
            self.changed.notify_one();
        }
        Ok(is_news)
    }

    /// Nothing that holds the lock can panic half-way.
    fn lock(&self) -> MutexGuard<'_, Shape> {
        self.shape.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CapsuleHandle {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// How many of its jobs run at once.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.0.lock().concurrency
    }

    /// How many of its jobs run now.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.0.slots.len()
    }

    /// Its queues, in their order, paused ones included.
    #[must_use]
    pub fn queues(&self) -> Vec<ServedQueue> {
        self.0.lock().queues.iter().cloned().collect()
    }

    /// How it chooses between them.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.0.lock().queues.mode()
    }

    /// Lets so many jobs run at once from now on. With fewer than before, what runs goes on to its end.
    ///
    /// # Errors
    /// 0, or more than 100,000; nothing changes.
    pub fn set_concurrency(&self, jobs: usize) -> Result<()> {
        check_concurrency(jobs)?;
        let change = |shape: &mut Shape| {
            shape.concurrency = jobs;
            Ok(())
        };
        if self.0.change(change)? {
            tracing::info!(
                capsule = self.name(),
                concurrency = jobs,
                "the capsule {} runs {jobs} jobs at once from now on",
                self.name()
            );
        }
        Ok(())
    }

    /// Serves these queues from now on, and no others. What was claimed already runs.
    ///
    /// # Errors
    /// No queue, an empty name, a weight out of bounds; nothing changes.
    pub fn set_queues<T: Into<ServedQueue>>(
        &self,
        queues: impl IntoIterator<Item = T>,
    ) -> Result<()> {
        self.serve(queues.into_iter().map(Into::into).collect())
    }

    /// Serves this queue as well, after those there are. One that is served already gets this weight.
    ///
    /// # Errors
    /// An empty name, a weight out of bounds; nothing changes.
    pub fn add_queue(&self, queue: impl Into<ServedQueue>) -> Result<()> {
        let queue = queue.into();
        let mut queues = self.queues();
        match queues.iter_mut().find(|known| known.name() == queue.name()) {
            Some(known) => *known = queue,
            None => queues.push(queue),
        }
        self.serve(queues)
    }

    /// Serves this queue no more. What was claimed already runs.
    ///
    /// # Errors
    /// It is the only one; nothing changes.
    pub fn remove_queue(&self, name: &str) -> Result<()> {
        let mut queues = self.queues();
        queues.retain(|queue| queue.name() != name);
        if queues.is_empty() {
            return Err(Error::config(format!(
                "{name:?} is the only queue of the capsule {}: pause it, or be quiet",
                self.name()
            )));
        }
        self.serve(queues)
    }

    /// Takes nothing from this queue until it is resumed, in this process alone. To pause it for all processes, see
    /// [`api`](crate::api).
    pub fn pause(&self, queue: &str) {
        let change = |shape: &mut Shape| {
            shape.paused.insert(queue.into());
            Ok(())
        };
        let _ = self.0.change(change);
    }

    /// Takes from a paused queue again.
    pub fn resume(&self, queue: &str) {
        let change = |shape: &mut Shape| {
            shape.paused.remove(queue);
            Ok(())
        };
        let _ = self.0.change(change);
    }

    fn serve(&self, queues: Vec<ServedQueue>) -> Result<()> {
        let queues = Queues::new(queues)?;
        let names: Vec<_> = queues.iter().map(|queue| queue.name().to_owned()).collect();
        let change = |shape: &mut Shape| {
            shape.queues = queues;
            Ok(())
        };
        if self.0.change(change)? {
            tracing::info!(
                capsule = self.name(),
                queues = ?names,
                "the capsule {} serves other queues from now on",
                self.name()
            );
        }
        Ok(())
    }
}

fn check_concurrency(given: usize) -> Result<()> {
    if given == 0 || given > MOST_CONCURRENCY {
        return Err(Error::config(format!(
            "the concurrency is {given}: give a number from 1 to {MOST_CONCURRENCY}"
        )));
    }
    Ok(())
}
