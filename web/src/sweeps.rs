//! Actions on many jobs, which go on in the background where they take long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use sancho::api::{Progress, Sweep};
use sancho::job::Timestamp;
use tokio::sync::watch;

use crate::app::App;
use crate::problem::{Problem, Said};

/// How long a request waits for one to end.
const WAIT: Duration = Duration::from_millis(800);

/// How many may go on at a time.
const MOST: usize = 8;

const BUSY: &str = "Nothing was done: eight actions on many jobs go on already. Try again when one of them has ended.";

/// How many of those that ended are remembered.
const KEEP: usize = 50;

/// Those that go on, and the last that ended.
#[derive(Debug, Default)]
pub(crate) struct Sweeps {
    next: AtomicU64,
    all: Mutex<Vec<Arc<Task>>>,
}

/// An action on many jobs.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) id: u64,
    /// What it does, as the log has it.
    pub(crate) what: String,
    /// The same, as pages have it.
    pub(crate) told: Said,
    /// The page that it was asked for on.
    pub(crate) from: &'static str,
    pub(crate) began: Timestamp,
    state: watch::Receiver<State>,
}

/// How far it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) progress: Progress,
    pub(crate) ended: bool,
    pub(crate) error: Option<String>,
}

impl Task {
    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }
}

impl Sweeps {
    /// Does all of these, one after the other, and waits a moment for their end.
    ///
    /// # Errors
    /// Too many go on already: a form that is sent again and again does not begin as many.
    pub(crate) async fn start(
        app: &App,
        what: String,
        told: Said,
        from: &'static str,
        sweeps: Vec<Sweep>,
    ) -> Result<Arc<Task>, Problem> {
        if app.sweeps.running() >= MOST {
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, BUSY));
        }
        let (tell, state) = watch::channel(State::default());
        let task = Arc::new(Task {
            id: app.sweeps.next.fetch_add(1, Ordering::Relaxed) + 1,
            what,
            told,
            from,
            began: app.api.now(),
            state: state.clone(),
        });
        app.sweeps.keep(Arc::clone(&task));
        let running = app.clone();
        tokio::spawn(async move {
            let error = run(sweeps, &tell).await;
            tell.send_modify(|state| {
                state.ended = true;
                state.error = error;
            });
            running.snapshots.forget();
        });
        let mut ended = state;
        let _ = tokio::time::timeout(WAIT, ended.wait_for(|state| state.ended)).await;
        Ok(task)
    }

    fn running(&self) -> usize {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|task| !task.state().ended).count()
    }

    /// The one of this number, unless it is long forgotten.
    pub(crate) fn get(&self, id: u64) -> Option<Arc<Task>> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|task| task.id == id).cloned()
    }

    fn keep(&self, task: Arc<Task>) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(task);
        let surplus = all.len().saturating_sub(KEEP);
        let mut ended = 0;
        all.retain(|task| {
            let drop = ended < surplus && task.state().ended;
            ended += usize::from(drop);
            !drop
        });
    }
}

async fn run(sweeps: Vec<Sweep>, tell: &watch::Sender<State>) -> Option<String> {
    let mut before = Progress::default();
    for mut sweep in sweeps {
        let mut last = Progress::default();
        loop {
            match sweep.next().await {
                Ok(Some(progress)) => {
                    last = progress;
                    tell.send_modify(|state| state.progress = sum(before, last));
                }
                Ok(None) => break,
                Err(error) => return Some(error.to_string()),
            }
        }
        before = sum(before, last);
    }
    None
}

fn sum(mut a: Progress, b: Progress) -> Progress {
    a.total += b.total;
    a.looked_at += b.looked_at;
    a.done += b.done;
    a.gone += b.gone;
    a.left += b.left;
    a
}
