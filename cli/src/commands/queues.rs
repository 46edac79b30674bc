//! Queues.

use serde::Serialize;
use serde_json::json;

use crate::Session;
use crate::error::Result;
use crate::output::{Cell, Look};

#[derive(Serialize)]
struct Shown {
    name: String,
    size: u64,
    /// In seconds.
    latency: f64,
    paused: bool,
    served: bool,
}

pub(crate) async fn list(session: &Session) -> Result<()> {
    let Session { api, out, .. } = session;
    let queues = api.queues().await?;
    let processes = api.processes().await?;
    let is_served = |name: &String| {
        processes
            .iter()
            .any(|process| !process.quiet && process.queues.contains(name))
    };
    if out.json {
        let shown = queues.into_iter().map(|queue| Shown {
            served: is_served(&queue.name),
            name: queue.name,
            size: queue.size,
            latency: queue.latency.as_secs_f64(),
            paused: queue.paused,
        });
        return out.json(&shown.collect::<Vec<_>>());
    }
    let row = |queue: &sancho::api::QueueSummary| {
        let (state, look) = match (queue.paused, is_served(&queue.name)) {
            (true, _) => ("paused", Look::Warning),
            (false, true) => ("", Look::Plain),
            (false, false) => ("no process takes from it", Look::Warning),
        };
        let latency = (queue.size > 0).then_some(queue.latency);
        vec![
            Cell::name(&queue.name),
            Cell::number(queue.size),
            Cell::time(latency),
            Cell::text(state).looking(look),
        ]
    };
    let rows: Vec<_> = queues.iter().map(row).collect();
    out.table(
        &["queue", "size", "latency", ""],
        &rows,
        "no queues: nothing was ever pushed here",
    )
}

pub(crate) async fn pause(session: &Session, name: &str) -> Result<()> {
    session.api.queue(name)?.pause().await?;
    let line =
        format!("the queue {name} is paused: no process of Sancho or of Sidekiq Pro takes from it");
    session
        .out
        .done(&line, &json!({ "queue": name, "paused": true }))
}

pub(crate) async fn resume(session: &Session, name: &str) -> Result<()> {
    session.api.queue(name)?.unpause().await?;
    let line = format!("jobs are taken from the queue {name} again");
    session
        .out
        .done(&line, &json!({ "queue": name, "paused": false }))
}
