//! Pages that stay current: one poller, started by the first browser that watches and ended after the last, tells all of them.

mod tables;

use std::collections::hash_map::DefaultHasher;
use std::convert::Infallible;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use sancho::api::{Metrics, Period};
use serde_json::json;
use tokio::sync::watch;

use crate::app::{App, Asked};
use crate::pages;
use crate::pages::busy::Running;
use crate::params::Params;
use crate::problem::Problem;
use crate::snapshot::{Snapshot, Snapshots, in_time};
use tables::Tables;
pub(crate) use tables::{Rows, Table};

/// How many browsers may watch at a time.
const MOST: usize = 500;

const TOO_MANY: &str = "Too many pages are kept current already: close some, or reload this one when its numbers are asked for.";

/// How often the store is asked.
const EVERY: Duration = Duration::from_secs(2);

/// What a page shows that stays current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    /// The numbers of the navigation alone.
    Numbers,
    Dashboard,
    Busy,
    Queues,
    /// The first rows of a place.
    Table,
}

/// What is known at a moment.
#[derive(Clone, Debug)]
pub(crate) enum Tick {
    /// Nothing yet.
    Nothing,
    Now(Arc<Now>),
    /// Why the store gives no answer.
    Away(Problem),
}

/// The numbers, and what else somebody watches.
#[derive(Debug)]
pub(crate) struct Now {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) recent: Option<Metrics>,
    pub(crate) work: Option<Running>,
    /// Those whose turn it was.
    pub(crate) tables: Vec<(Table, Rows)>,
}

/// Who watches, and what they are told.
#[derive(Debug, Default)]
pub(crate) struct Live {
    running: Mutex<Option<watch::Sender<Tick>>>,
    dashboards: AtomicU64,
    busies: AtomicU64,
    tables: Tables,
    watchers: AtomicUsize,
}

/// One that watches a view, until it is dropped.
struct Watcher {
    app: App,
    view: View,
    table: Option<Table>,
    asked: Asked,
    ticks: watch::Receiver<Tick>,
    /// What was sent last: it is not sent again.
    sent: u64,
}

impl Live {
    fn subscribe(app: &App, view: View, table: Option<Table>, asked: Asked) -> Watcher {
        let mut running = app
            .live
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(watched) = app.live.watched(view) {
            watched.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(table) = &table {
            app.live.tables.watch(table);
        }
        app.live.watchers.fetch_add(1, Ordering::Relaxed);
        let ticks = match &*running {
            Some(sender) => sender.subscribe(),
            None => {
                let (sender, ticks) = watch::channel(Tick::Nothing);
                *running = Some(sender);
                tokio::spawn(poll(app.clone()));
                ticks
            }
        };
        Watcher {
            app: app.clone(),
            view,
            table,
            asked,
            ticks,
            sent: 0,
        }
    }

    fn watched(&self, view: View) -> Option<&AtomicU64> {
        match view {
            View::Dashboard => Some(&self.dashboards),
            View::Busy => Some(&self.busies),
            View::Numbers | View::Queues | View::Table => None,
        }
    }

    fn is_watched(&self, view: View) -> bool {
        self.watched(view)
            .is_some_and(|watched| watched.load(Ordering::Relaxed) > 0)
    }

    /// Tells those who watch; `false` where nobody does any more, and then the next one who comes starts another poller.
    fn tell(&self, tick: Tick) -> bool {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let told = running
            .as_ref()
            .is_some_and(|sender| sender.send(tick).is_ok());
        if !told {
            *running = None;
        }
        told
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(watched) = self.app.live.watched(self.view) {
            watched.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(table) = &self.table {
            self.app.live.tables.leave(table);
        }
        self.app.live.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Asks the store until nobody watches.
async fn poll(app: App) {
    loop {
        let tick = match look(&app).await {
            Ok(now) => Tick::Now(Arc::new(now)),
            Err(problem) => Tick::Away(problem),
        };
        if !app.live.tell(tick) {
            return;
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn look(app: &App) -> Result<Now, Problem> {
    let snapshot = Snapshots::get(app).await?;
    let recent = if app.live.is_watched(View::Dashboard) {
        Some(in_time(app.api.top_jobs(Period::Minutes(60), None)).await?)
    } else {
        None
    };
    let work = if app.live.is_watched(View::Busy) {
        Some(Running::look(app).await?)
    } else {
        None
    };
    Ok(Now {
        snapshot,
        recent,
        work,
        tables: app.live.tables.look(app).await?,
    })
}

/// The events: `tick` with the numbers and, for a page that stays current as a whole, its content; `away` while the store gives no
/// answer.
pub(crate) async fn events(State(app): State<App>, asked: Asked, params: Params) -> Response {
    let view = match params.get("view") {
        "dashboard" => View::Dashboard,
        "busy" => View::Busy,
        "queues" => View::Queues,
        "table" => View::Table,
        _ => View::Numbers,
    };
    if app.live.watchers.load(Ordering::Relaxed) >= MOST {
        return Problem::new(StatusCode::TOO_MANY_REQUESTS, TOO_MANY).into_response();
    }
    let table = Some(&params)
        .filter(|_| view == View::Table)
        .and_then(Table::named);
    let watcher = Live::subscribe(&app, view, table, asked);
    let events = stream::unfold(watcher, async |mut watcher| {
        let event = watcher.next().await?;
        Some((Ok::<_, Infallible>(event), watcher))
    });
    let mut response = Sse::new(events)
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
        .into_response();
    // Proxies that gather what they pass on would hold events back.
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    response
        .headers_mut()
        .insert(unbuffered, HeaderValue::from_static("no"));
    response
}

impl Watcher {
    async fn next(&mut self) -> Option<Event> {
        loop {
            self.ticks.changed().await.ok()?;
            let tick = self.ticks.borrow_and_update().clone();
            let event = match tick {
                Tick::Nothing => continue,
                Tick::Away(problem) => {
                    let why = problem.text(self.asked.words);
                    Event::default()
                        .event("away")
                        .data(json!({ "why": why }).to_string())
                }
                Tick::Now(now) => {
                    // What this view needs was not asked for yet: the next tick has it.
                    let lacks = match self.view {
                        View::Dashboard => now.recent.is_none(),
                        View::Busy => now.work.is_none(),
                        View::Numbers | View::Queues | View::Table => false,
                    };
                    if lacks {
                        continue;
                    }
                    Event::default().event("tick").data(self.tick(&now))
                }
            };
            return Some(event);
        }
    }

    fn tick(&mut self, now: &Now) -> String {
        self.asked.now = now.snapshot.at;
        let (w, stats) = (self.asked.words, &now.snapshot.overview.stats);
        let numbers = json!({
            "busy": w.short(stats.busy),
            "enqueued": w.short(stats.enqueued),
            "scheduled": w.short(stats.scheduled),
            "retries": w.short(stats.retries),
            "dead": w.short(stats.dead),
            "cron": w.short(now.snapshot.cron),
            "cost": w.cost(now.snapshot.cost),
            "processed": w.number(stats.processed),
            "failed": w.number(stats.failed),
        });
        let table = self.table.as_ref().and_then(|watched| {
            let mut looked = now.tables.iter();
            looked.find(|(table, _)| table == watched)
        });
        let content = match self.view {
            View::Numbers => None,
            View::Table => table.map(|(table, rows)| table.show(rows, &self.asked, &now.snapshot)),
            View::Dashboard => now
                .recent
                .as_ref()
                .map(|recent| pages::dashboard::current(&self.asked, &now.snapshot, recent)),
            View::Busy => now
                .work
                .as_ref()
                .map(|work| pages::busy::current(&self.asked, &now.snapshot, work)),
            View::Queues => Some(pages::queues::current(&self.asked, &now.snapshot)),
        };
        let content = content.map(maud::Markup::into_string);
        let hash = match table {
            // Its browser keeps the times in it current.
            Some((table, rows)) => table.print(rows, &now.snapshot),
            None if self.table.is_some() => self.sent,
            None => {
                let mut hasher = DefaultHasher::new();
                content.hash(&mut hasher);
                hasher.finish()
            }
        };
        let is_new = std::mem::replace(&mut self.sent, hash) != hash;
        json!({ "numbers": numbers, "html": content.filter(|_| is_new) }).to_string()
    }
}
