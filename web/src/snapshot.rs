//! The numbers that stand on every page: taken once, however many ask for them at a time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sancho::api::Overview;
use sancho::job::Timestamp;
use tokio::time::{Instant, timeout};

use crate::app::App;
use crate::problem::Problem;
use axum::http::StatusCode;

/// How long an answer is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A snapshot is used again for so many times as long as it took: it costs the store a tenth of its time at most.
const SHARE: u32 = 10;

/// One that takes longer than this is not waited for: the one before it is shown while it is made.
const SLOW: Duration = Duration::from_millis(100);

/// How old it may be then.
const OLDEST: Duration = Duration::from_secs(60);

/// The numbers of a moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) overview: Overview,
    /// How many entries the cron has.
    pub(crate) cron: u64,
    pub(crate) at: Timestamp,
    /// How long the store took for it.
    pub(crate) cost: Duration,
}

/// Takes and keeps them.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    kept: Mutex<Option<Kept>>,
    /// Held by the one who takes one; those who come meanwhile use what it got.
    turn: tokio::sync::Mutex<()>,
    /// Raised by each action: what was taken before it is not shown after it.
    generation: AtomicU64,
}

#[derive(Clone, Debug)]
struct Kept {
    snapshot: Arc<Snapshot>,
    taken: Instant,
    generation: u64,
}

impl Snapshots {
    /// The numbers of now, or of very little before.
    pub(crate) async fn get(app: &App) -> Result<Arc<Snapshot>, Problem> {
        let this = &app.snapshots;
        if let Some(kept) = this.current() {
            if kept.is_fresh() {
                return Ok(kept.snapshot);
            }
            if kept.snapshot.cost > SLOW && kept.taken.elapsed() < OLDEST {
                let app = app.clone();
                // Whoever asks next gets it; an error is met again by them.
                tokio::spawn(async move { Self::take(&app).await.ok() });
                return Ok(kept.snapshot);
            }
        }
        Self::take(app).await
    }

    /// From now on, only what is taken from now on is shown.
    pub(crate) fn forget(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    async fn take(app: &App) -> Result<Arc<Snapshot>, Problem> {
        let this = &app.snapshots;
        let _turn = this.turn.lock().await;
        if let Some(kept) = this.current().filter(Kept::is_fresh) {
            return Ok(kept.snapshot);
        }
        let generation = this.generation.load(Ordering::SeqCst);
        let began = Instant::now();
        let overview = in_time(app.api.overview()).await?;
        let cron = in_time(app.api.cron().size()).await?;
        let snapshot = Arc::new(Snapshot {
            overview,
            cron,
            at: app.api.now(),
            cost: began.elapsed(),
        });
        let kept = Kept {
            snapshot: Arc::clone(&snapshot),
            taken: Instant::now(),
            generation,
        };
        *this.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        Ok(snapshot)
    }

    /// What is kept, unless something was done since.
    fn current(&self) -> Option<Kept> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = self.generation.load(Ordering::SeqCst);
        kept.clone().filter(|kept| kept.generation == generation)
    }
}

impl Kept {
    fn is_fresh(&self) -> bool {
        self.taken.elapsed() < self.snapshot.cost * SHARE
    }
}

/// What the store answers, unless it takes too long.
pub(crate) async fn in_time<T>(
    ask: impl Future<Output = Result<T, sancho::api::ApiError>>,
) -> Result<T, Problem> {
    match timeout(PATIENCE, ask).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Problem::said(StatusCode::SERVICE_UNAVAILABLE, |w| {
            w.store_silent.text(&[("n", &w.number(PATIENCE.as_secs()))])
        })),
    }
}
