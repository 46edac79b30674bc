//! What the pages show, as JSON.

use sancho::api::search::Hit;
use sancho::api::{
    ClassMetrics, CronRun, CronStatus, JobRecord, Metrics, Process, QueueSummary, SortedEntry,
};
use sancho::cron::CronEntry;
use sancho::job::JobId;
use sancho::job::Timestamp;
use serde_json::{Map, Value, json};

use super::object;
use crate::app::{App, Asked};
use crate::format::rfc3339;
use crate::json::line;
use crate::pages::cron::args;
use crate::pages::dashboard::is_served;
use crate::pages::{arguments, masked, masks};
use crate::sweeps::Task;

pub(super) fn time(at: Timestamp) -> Value {
    rfc3339(at).into()
}

pub(super) fn queue(queue: &QueueSummary, processes: &[Process]) -> Value {
    json!({
        "name": queue.name,
        "size": queue.size,
        "latency_seconds": queue.latency.as_secs_f64(),
        "paused": queue.paused,
        "served": is_served(queue, processes),
    })
}

pub(super) fn entry(app: &App, entry: &SortedEntry) -> Map<String, Value> {
    let mut value = job(app, entry);
    value.insert("id".into(), entry.id().into());
    value.insert("in".into(), entry.set().name().into());
    value.insert("at".into(), time(entry.at()));
    value
}

/// A job. Its arguments are JSON text, so that no number loses a digit on the way.
pub(super) fn job(app: &App, job: &JobRecord) -> Map<String, Value> {
    let args = arguments(app, job);
    let args: Vec<String> = args.iter().map(|(_, arg)| line(arg, masks(app))).collect();
    let tags = job.tags().into_iter();
    let tags = tags.map(|tag| masked::text(app, job, tag.into()));
    object(json!({
        "jid": job.jid().as_str(),
        "class": job.display_class(),
        "queue": job.queue(),
        "args": args,
        "tags": tags.collect::<Vec<_>>(),
        "created_at": job.created_at().map(time),
        "enqueued_at": job.enqueued_at().map(time),
        "failed_at": job.failed_at().map(time),
        "retried_at": job.retried_at().map(time),
        "retry_count": job.retry_count(),
        "error_class": job.error_class(),
        "error_message": masked::error_message(app, job),
        "problem": masked::problem(app, job),
    }))
}

/// A job that was found, with where it stands.
pub(super) fn hit(app: &App, hit: &Hit) -> Map<String, Value> {
    let mut value = match hit {
        Hit::Timed(timed) => entry(app, timed),
        hit => job(app, hit.job()),
    };
    value.insert("state".into(), hit.state().name().into());
    match hit {
        Hit::Queued { position, .. } => {
            value.insert("position".into(), (*position).into());
        }
        Hit::Running(work) => {
            value.insert("process".into(), work.process.as_str().into());
            value.insert("run_at".into(), work.run_at.map(time).into());
        }
        _ => {}
    }
    value
}

/// An entry of the cron, with its next ten runs and its last ones.
pub(super) fn cron(asked: &Asked, status: &CronStatus) -> Value {
    let entry = status.entry.as_ref().ok();
    let args = entry.map(|entry| {
        let args = args(&asked.app, entry);
        let lines = args.iter().map(|(_, arg)| line(arg, masks(&asked.app)));
        lines.collect::<Vec<_>>()
    });
    let run = |run: &CronRun| {
        json!({
            "tick": run.tick.map(time),
            "at": time(run.at),
            "jid": run.jid.as_ref().map(JobId::as_str),
            "error": run.error,
        })
    };
    let next = status.next_runs(10, asked.now);
    json!({
        "name": status.name,
        "enabled": status.enabled,
        "cron": entry.map(|entry| entry.schedule().expression()),
        "zone": entry.map(|entry| entry.schedule().zone()),
        "means": entry.map(|entry| entry.schedule().describe()),
        "class": entry.map(CronEntry::class),
        "args": args,
        "queue": entry.and_then(CronEntry::queue_name),
        "description": entry.and_then(CronEntry::description_text),
        "problem": status.entry.as_ref().err().map(ToString::to_string),
        "origin": status.origin,
        "since": time(status.since),
        "ticks": status.ticks,
        "last_tick": status.last_tick.map(time),
        "next_runs": next.into_iter().map(time).collect::<Vec<_>>(),
        "last_runs": status.history().iter().map(run).collect::<Vec<_>>(),
    })
}

pub(super) fn process(process: &Process) -> Value {
    json!({
        "identity": process.identity,
        "hostname": process.hostname,
        "pid": process.pid,
        "tag": process.tag,
        "labels": process.labels,
        "queues": process.queues,
        "concurrency": process.concurrency,
        "busy": process.busy,
        "version": process.version,
        "embedded": process.embedded,
        "quiet": process.quiet,
        "leader": process.leader,
        "stuck": process.stuck,
        "rss_bytes": process.rss_kb.saturating_mul(1_024),
        "round_trip_us": process.rtt_us,
        "started_at": process.started_at.map(time),
        "beat": process.beat.map(time),
    })
}

pub(super) fn metrics(metrics: &Metrics) -> Value {
    let class = |class: &ClassMetrics| {
        let totals = class.totals();
        let series = class
            .series
            .iter()
            .map(|sample| json!([sample.executed, sample.failed, sample.ms]));
        json!({
            "class": class.class,
            "executed": totals.executed,
            "failed": totals.failed,
            "ms": totals.ms,
            "average_ms": totals.average_ms(),
            "series": series.collect::<Vec<_>>(),
            "histogram": (!class.histograms.is_empty()).then(|| class.histogram().to_vec()),
        })
    };
    let mark = |mark: &sancho::api::Mark| json!({ "at": time(mark.at), "label": mark.label });
    json!({
        "from": metrics.steps.first().copied().map(time),
        "step_seconds": metrics.step_seconds,
        "steps": metrics.steps.len(),
        "classes": metrics.classes.iter().map(class).collect::<Vec<_>>(),
        "deploys": metrics.marks.iter().map(mark).collect::<Vec<_>>(),
    })
}

pub(super) fn sweep(task: &Task) -> Value {
    let state = task.state();
    json!({
        "id": task.id,
        "what": task.what,
        "ended": state.ended,
        "error": state.error,
        "total": state.progress.total,
        "looked_at": state.progress.looked_at,
        "done": state.progress.done,
        "gone": state.progress.gone,
        "left": state.progress.left,
    })
}
