//! Being seen by machines: metrics, and whether the server is ready.

mod histogram;
mod page;
mod process;
mod text;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::time::timeout;

pub(super) use histogram::Histogram;

use super::Engine;
use super::metrics::Metrics;
use super::orders::Handle;
use crate::job::Timestamp;
use crate::store::Census;

/// How long what was seen in the store is shown, so that many who ask cost one look.
const FRESH: Duration = Duration::from_secs(1);

/// How long a look may take.
const LONGEST_LOOK: Duration = Duration::from_secs(2);

/// How long a claim may wait for its answer before the server is not ready.
const LONGEST_CLAIM: Duration = Duration::from_secs(5);

/// Why a server is not ready to be given work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotReady {
    /// It has not registered with its store yet.
    #[error("it has not started yet")]
    Starting,
    /// It was told to be quiet, or it stops: it claims nothing more.
    #[error("it is quiet, and claims nothing more")]
    Quiet,
    /// A part of it has not come round for long: [`Handle::is_alive`] is `false`.
    #[error("a part of it hangs")]
    Stuck,
    /// The store does not answer.
    #[error("the store does not answer")]
    StoreAway,
    /// The store answers, but a claim has waited for more than 5 s.
    #[error("a claim has waited for its answer for long")]
    ClaimWaits,
}

/// What a server counts from its start on, and where it can be seen.
#[derive(Debug)]
pub(super) struct Observed {
    start: Instant,
    engine: OnceLock<Weak<Engine>>,
    /// The last look at the store.
    look: tokio::sync::Mutex<Option<Look>>,
    pub(super) metrics: Metrics,
    pub(super) interrupted: Counter,
    pub(super) evicted: Counter,
    pub(super) schedule_lag: Times,
    pub(super) retry_lag: Times,
    pub(super) cron_lag: Times,
}

/// What was seen in the store.
#[derive(Debug)]
struct Look {
    at: Instant,
    /// Nothing, where there was no answer.
    seen: Option<Arc<Seen>>,
}

#[derive(Debug)]
struct Seen {
    census: Census,
    now: Timestamp,
}

/// Counts up, and is read by whoever looks.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

/// Times that are seldom: nothing on a job's way.
#[derive(Debug, Default)]
pub(super) struct Times(Mutex<Histogram>);

impl Handle {
    /// What a scrape of Prometheus is answered with, in its text format (`text/plain; version=0.0.4`): what this server has
    /// counted since it was made, what runs in it, and how full the queues and sets of its store are. See the
    /// [guide](crate::guide::observing).
    ///
    /// What it counts costs nothing to show. The store is looked at once a second at most, however many ask, and for 2 s at
    /// most; what it holds is missing where it does not answer.
    ///
    /// ```
    /// # async fn run(server: sancho::runtime::Server) {
    /// let handle = server.handle();
    /// // In a route of any web framework:
    /// let text = handle.metrics_text().await;
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// It can be dropped and asked again.
    pub async fn metrics_text(&self) -> String {
        let seen = self.observed().seen().await;
        page::write(self, seen.as_deref())
    }

    /// Whether it can be given work: it has started, it is not told to be quiet, all of it is alive, the store answers and claims go
    /// through. What the store is asked is what [`metrics_text`](Self::metrics_text) asks, once a second at most.
    ///
    /// # Errors
    /// What is in the way.
    ///
    /// # Cancel safety
    /// It can be dropped and asked again.
    pub async fn ready(&self) -> Result<(), NotReady> {
        if !self.has_begun() {
            return Err(NotReady::Starting);
        }
        if self.is_quiet() {
            return Err(NotReady::Quiet);
        }
        if !self.is_alive() {
            return Err(NotReady::Stuck);
        }
        if self.away().is_away() || self.observed().seen().await.is_none() {
            return Err(NotReady::StoreAway);
        }
        if self.away().trips().claim_waits_for() > LONGEST_CLAIM {
            return Err(NotReady::ClaimWaits);
        }
        Ok(())
    }
}

impl Observed {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            engine: OnceLock::new(),
            look: tokio::sync::Mutex::default(),
            metrics: Metrics::default(),
            interrupted: Counter::default(),
            evicted: Counter::default(),
            schedule_lag: Times::default(),
            retry_lag: Times::default(),
            cron_lag: Times::default(),
        }
    }

    /// From now on it is this engine's store that is looked at, as long as the engine lives.
    pub(super) fn attach(&self, engine: &Arc<Engine>) {
        // A server is run once.
        let _ = self.engine.set(Arc::downgrade(engine));
    }

    fn engine(&self) -> Option<Arc<Engine>> {
        self.engine.get().and_then(Weak::upgrade)
    }

    /// What there is in the store. Who asks while another looks waits for what that one sees.
    async fn seen(&self) -> Option<Arc<Seen>> {
        let mut look = self.look.lock().await;
        if let Some(look) = &*look
            && look.at.elapsed() < FRESH
        {
            return look.seen.clone();
        }
        let seen = self.see().await.map(Arc::new);
        let at = Instant::now();
        *look = Some(Look {
            at,
            seen: seen.clone(),
        });
        seen
    }

    async fn see(&self) -> Option<Seen> {
        let engine = self.engine()?;
        let census = timeout(LONGEST_LOOK, engine.store.census()).await;
        let census = census.ok().and_then(Result::ok)?;
        let now = engine.clock.now();
        Some(Seen { census, now })
    }
}

impl Counter {
    pub(super) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Times {
    pub(super) fn observe(&self, took: Duration) {
        self.lock().observe(took);
    }

    pub(super) fn get(&self) -> Histogram {
        self.lock().clone()
    }

    /// Nothing that holds the lock can panic half-way.
    fn lock(&self) -> std::sync::MutexGuard<'_, Histogram> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
