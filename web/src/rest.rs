//! The same as JSON, for programs: `/stats` as Sidekiq's, and `/api`, described by `/api/openapi.json`.

mod cron;
mod values;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use sancho::api::{Acted, Cancelled, Signal};
use sancho::store::Order;
use serde_json::{Map, Value, json};

use crate::action::Action;
use crate::app::{App, Asked};
use crate::language::Language;
use crate::pages::errors;
use crate::pages::search::Search;
use crate::pages::set::{self, Kind};
use crate::pages::{masked, metrics, queue as queue_page};
use crate::params::{Params, Posted};
use crate::problem::Problem;
use crate::snapshot::{Snapshots, in_time};
use crate::sweeps::Sweeps;

type Answer = Result<Json<Value>, Problem>;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/openapi.json", get(openapi))
        .route("/stats", get(stats))
        .route("/history", get(history))
        .route("/queues", get(queues).post(act_on_queue))
        .route("/queue", get(queue).post(act_on_queued))
        .route("/jobs", get(jobs).post(act_on_jobs))
        .route("/job", get(job))
        .route("/processes", get(processes).post(act_on_process))
        .route("/work", get(work))
        .route("/cancel", post(cancel))
        .route("/search", get(search))
        .route("/cron", get(cron::show).post(cron::act))
        .route("/metrics", get(metrics_of))
        .route("/errors", get(failures).post(act_on_failures))
        .route("/sweep", get(sweep))
}

/// Whether an error at this path is JSON.
pub(crate) fn is_rest(path: &str) -> bool {
    path.starts_with("/stats") || path == "/api" || path.starts_with("/api/")
}

pub(crate) fn problem(problem: &Problem) -> Response {
    // Programs read it, wherever they run.
    let words = Language::English.words();
    let body = json!({ "error": problem.title(words), "detail": problem.text(words) });
    (problem.status, Json(body)).into_response()
}

async fn openapi() -> Response {
    let text = include_str!("../assets/openapi.json");
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

/// What Sidekiq's own page answers under this path. Stores that are no Redis say nothing of one, and ours asks none what version it
/// is.
pub(crate) async fn sidekiq_stats(State(app): State<App>) -> Answer {
    let snapshot = Snapshots::get(&app).await?;
    let stats = &snapshot.overview.stats;
    let now: DateTime<Utc> = snapshot.at.into();
    Ok(Json(json!({
        "sidekiq": {
            "processed": stats.processed,
            "failed": stats.failed,
            "busy": stats.busy,
            "processes": stats.processes,
            "enqueued": stats.enqueued,
            "scheduled": stats.scheduled,
            "retries": stats.retries,
            "dead": stats.dead,
            "default_latency": stats.default_queue_latency.as_secs_f64(),
        },
        "redis": {},
        "server_utc_time": now.format("%H:%M:%S UTC").to_string(),
    })))
}

/// The sizes of the queues, as Sidekiq's own page answers.
pub(crate) async fn sidekiq_queues(State(app): State<App>) -> Answer {
    let snapshot = Snapshots::get(&app).await?;
    let queues = snapshot.overview.queues.iter();
    let sizes: Map<String, Value> = queues
        .map(|queue| (queue.name.clone(), queue.size.into()))
        .collect();
    Ok(Json(Value::Object(sizes)))
}

async fn stats(State(app): State<App>) -> Answer {
    let snapshot = Snapshots::get(&app).await?;
    let stats = &snapshot.overview.stats;
    Ok(Json(json!({
        "processed": stats.processed,
        "failed": stats.failed,
        "enqueued": stats.enqueued,
        "scheduled": stats.scheduled,
        "retries": stats.retries,
        "dead": stats.dead,
        "claimed": stats.claimed,
        "processes": stats.processes,
        "busy": stats.busy,
        "default_queue_latency_seconds": stats.default_queue_latency.as_secs_f64(),
        "store": &*app.store_name,
        "store_answered_in_seconds": snapshot.cost.as_secs_f64(),
        "at": values::time(snapshot.at),
    })))
}

async fn history(State(app): State<App>, params: Params) -> Answer {
    let days = u32::try_from(params.number("days").unwrap_or(30)).unwrap_or(u32::MAX);
    let days = in_time(app.api.history(days, None)).await?;
    let day = |day: &sancho::api::DayStats| json!({ "date": day.date.to_string(), "processed": day.processed, "failed": day.failed });
    Ok(Json(
        json!({ "days": days.iter().map(day).collect::<Vec<_>>() }),
    ))
}

async fn queues(State(app): State<App>) -> Answer {
    let snapshot = Snapshots::get(&app).await?;
    let overview = &snapshot.overview;
    let queue = |queue| values::queue(queue, &overview.processes);
    Ok(Json(
        json!({ "queues": overview.queues.iter().map(queue).collect::<Vec<_>>() }),
    ))
}

async fn queue(asked: Asked, params: Params) -> Answer {
    let name = params.get("name");
    let backward = params.get("order") == "last";
    let order = if backward {
        Order::Backward
    } else {
        Order::Forward
    };
    let (from, rows) = (params.number("from").unwrap_or(0), params.rows());
    let page = in_time(asked.app.api.queue(name)?.page(order, from, rows)).await?;
    let jobs = page.jobs.iter().zip(from..).map(|(job, at)| {
        let mut value = values::job(&asked.app, job);
        value.insert("at".into(), at.into());
        value
    });
    Ok(Json(
        json!({ "name": name, "jobs": jobs.collect::<Vec<_>>(), "next": page.next }),
    ))
}

fn kind(params: &Params) -> Result<Kind, Problem> {
    let name = params.get("in");
    Kind::named(name).ok_or_else(|| {
        Problem::not_found(format!("{name:?} is none of scheduled, retries and dead."))
    })
}

async fn jobs(asked: Asked, params: Params) -> Answer {
    let set = kind(&params)?.jobs(&asked.app);
    let (text, from, rows) = (
        params.get("q"),
        params.number("from").unwrap_or(0),
        params.rows(),
    );
    let (entries, next) = if text.is_empty() {
        let page = in_time(set.page(Order::Forward, from, rows)).await?;
        (page.entries, page.next)
    } else {
        let part = in_time(set.scan(text, from, 500)).await?;
        let shown = part.entries.into_iter();
        let shown = shown.filter(|entry| masked::contains(&asked.app, entry, text));
        (shown.collect(), part.next)
    };
    let entries: Vec<_> = entries
        .iter()
        .map(|entry| values::entry(&asked.app, entry))
        .collect();
    Ok(Json(json!({ "jobs": entries, "next": next })))
}

async fn job(asked: Asked, params: Params) -> Answer {
    let set = kind(&params)?.jobs(&asked.app);
    let id = params.get("id");
    let entry = set::find(&set, id, "").await?;
    let entry =
        entry.ok_or_else(|| Problem::not_found(format!("There is no job {id:?} there.")))?;
    Ok(Json(Value::Object(values::entry(&asked.app, &entry))))
}

async fn processes(State(app): State<App>) -> Answer {
    let snapshot = Snapshots::get(&app).await?;
    let processes = snapshot.overview.processes.iter().map(values::process);
    Ok(Json(json!({ "processes": processes.collect::<Vec<_>>() })))
}

async fn work(asked: Asked) -> Answer {
    let work = in_time(asked.app.api.work()).await?;
    let jids: Vec<_> = work.iter().map(|work| work.job.jid().as_str()).collect();
    let iterations = in_time(asked.app.api.iterations(&jids)).await?;
    let work = work.iter().zip(iterations).map(|(work, iteration)| {
        let progress = iteration.and_then(|iteration| iteration.progress);
        json!({
            "process": work.process,
            "thread": work.thread,
            "queue": work.queue,
            "run_at": work.run_at.map(values::time),
            "stuck": work.stuck,
            "progress": progress.map(|progress| json!({ "done": progress.done, "total": progress.total })),
            "job": values::job(&asked.app, &work.job),
        })
    });
    Ok(Json(json!({ "work": work.collect::<Vec<_>>() })))
}

async fn search(asked: Asked, params: Params) -> Answer {
    let search = Search::read(&params).map_err(|why| Problem::new(StatusCode::BAD_REQUEST, why))?;
    let found = search.run(&asked.app, params.rows()).await?;
    let snapshot = Snapshots::get(&asked.app).await?;
    let jobs = found.hits.iter().map(|hit| values::hit(&asked.app, hit));
    Ok(Json(json!({
        "jobs": jobs.collect::<Vec<_>>(),
        "looked_at": found.looked_at,
        "total": search.total(&snapshot),
        "next": found.next.map(|next| next.to_string()),
    })))
}

async fn metrics_of(asked: Asked, params: Params) -> Answer {
    let period = metrics::period(metrics::hours(&params));
    let class = params.get("class");
    let metrics = if class.is_empty() {
        in_time(asked.app.api.top_jobs(period, None)).await?
    } else {
        in_time(asked.app.api.metrics_of(class, period)).await?
    };
    Ok(Json(values::metrics(&metrics)))
}

async fn failures(asked: Asked, params: Params) -> Answer {
    let depth = params.number("depth").unwrap_or(5_000).min(1_000_000);
    let snapshot = Snapshots::get(&asked.app).await?;
    let total = snapshot.overview.stats.retries + snapshot.overview.stats.dead;
    let gathered = errors::gather(&asked.app, depth, total).await?;
    let groups = gathered.groups.iter().map(|failures| {
        json!({
            "group": failures.group.id(),
            "class": failures.group.class,
            "error_class": failures.group.error,
            "message": failures.group.message,
            "retrying": failures.retrying,
            "dead": failures.dead,
            "first": failures.first.map(values::time),
            "last": failures.last.map(values::time),
        })
    });
    Ok(Json(json!({
        "groups": groups.collect::<Vec<_>>(),
        "looked_at": gathered.looked_at,
        "total": gathered.total,
    })))
}

async fn sweep(asked: Asked, params: Params) -> Answer {
    let task = params.number("id").and_then(|id| asked.app.sweeps.get(id));
    let task = task.ok_or_else(|| Problem::not_found("There is no such action."))?;
    Ok(Json(values::sweep(&task)))
}

fn acted(asked: &Asked, acted: Acted) -> Json<Value> {
    asked.app.snapshots.forget();
    Json(json!({ "done": acted.is_done() }))
}

fn unknown(choices: &str) -> Problem {
    Problem::invalid(format!("Nothing was done: `do` is one of {choices}."))
}

async fn act_on_queue(asked: Asked, Posted(posted): Posted) -> Answer {
    let (name, did) = (posted.get("name"), posted.get("do"));
    let queue = asked.app.api.queue(name)?;
    let what = format!("{did} {name}");
    match did {
        "pause" => {
            asked.begin(Action::PauseQueue, &what)?;
            queue.pause().await?;
        }
        "resume" => {
            asked.begin(Action::PauseQueue, &what)?;
            queue.unpause().await?;
        }
        "clear" => {
            asked.begin(Action::ClearQueue, &what)?;
            queue.clear().await?;
        }
        _ => return Err(unknown("pause, resume and clear")),
    }
    Ok(acted(&asked, Acted::Done))
}

async fn act_on_queued(asked: Asked, Posted(posted): Posted) -> Answer {
    let (name, did) = (posted.get("name"), posted.get("do"));
    let action = match did {
        "next" => Action::RunNext,
        "delete" => Action::DeleteJobs,
        _ => return Err(unknown("next and delete")),
    };
    let queue = asked.app.api.queue(name)?;
    asked.begin(
        action,
        &format!("{} in the queue {name}", posted.get("jid")),
    )?;
    let result = match queue_page::find(&queue, &posted).await? {
        Some((_, job)) if did == "next" => queue.run_next(&job).await?,
        Some((_, job)) => queue.delete(&job).await?,
        None => Acted::Gone,
    };
    Ok(acted(&asked, result))
}

async fn act_on_jobs(asked: Asked, Posted(posted): Posted) -> Answer {
    let kind = kind(&posted)?;
    let (id, did) = (posted.get("id"), posted.get("do"));
    let action = match did {
        "retry" => Action::RetryJobs,
        "kill" if kind.path == set::DEAD.path => {
            return Err(Problem::invalid(
                "Nothing was done: a job of the dead set is dead.",
            ));
        }
        "kill" => Action::KillJobs,
        "delete" => Action::DeleteJobs,
        _ => return Err(unknown("retry, kill and delete")),
    };
    let set = kind.jobs(&asked.app);
    asked.begin(action, &format!("{id} in {}", kind.path))?;
    let Some(entry) = set::find(&set, id, "").await? else {
        return Ok(acted(&asked, Acted::Gone));
    };
    let result = match did {
        "delete" => set.delete(&entry).await?,
        "kill" => set.kill(&entry).await?,
        _ if kind.path == set::SCHEDULED.path => set.add_to_queue(&entry).await?,
        _ => set.retry(&entry).await?,
    };
    Ok(acted(&asked, result))
}

async fn act_on_process(asked: Asked, Posted(posted): Posted) -> Answer {
    let (action, signal) = match posted.get("do") {
        "quiet" => (Action::QuietProcess, Signal::Quiet),
        "stop" => (Action::StopProcess, Signal::Stop),
        "dump" => (Action::DumpProcess, Signal::Dump),
        _ => return Err(unknown("quiet, stop and dump")),
    };
    let identity = posted.get("process");
    asked.begin(action, identity)?;
    asked.app.api.signal(identity, signal).await?;
    Ok(acted(&asked, Acted::Done))
}

async fn cancel(asked: Asked, Posted(posted): Posted) -> Answer {
    let jid = posted.get("jid");
    asked.begin(Action::CancelJob, jid)?;
    let cancelled = asked.app.api.cancel(jid).await?;
    asked.app.snapshots.forget();
    let (became, process) = match cancelled {
        Cancelled::Removed(_) => ("removed", None),
        Cancelled::Told => ("told", None),
        Cancelled::Asked { process } => ("asked", Some(process)),
        _ => ("gone", None),
    };
    Ok(Json(
        json!({ "done": became != "gone", "became": became, "process": process }),
    ))
}

async fn act_on_failures(asked: Asked, Posted(posted): Posted) -> Answer {
    let (id, did) = (posted.get("group"), posted.get("do"));
    let action = match did {
        "retry" => Action::RetryJobs,
        "delete" => Action::DeleteJobs,
        _ => return Err(unknown("retry and delete")),
    };
    if id.is_empty() {
        return Err(Problem::invalid("Nothing was done: no group was named."));
    }
    let what = format!("{did} all failures of the kind {id}");
    asked.begin(action, &what)?;
    let sweeps = errors::sweeps(&asked.app, did, id);
    let told = errors::told(did == "retry");
    let task = Sweeps::start(&asked.app, what, told, "errors", sweeps).await?;
    asked.app.snapshots.forget();
    Ok(Json(values::sweep(&task)))
}

/// An object of these fields.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
