//! The numbers of a store.

use serde::Serialize;

use crate::Session;
use crate::error::Result;
use crate::output::{Cell, Look};

#[derive(Serialize)]
struct Shown {
    processed: u64,
    failed: u64,
    enqueued: u64,
    scheduled: u64,
    retries: u64,
    dead: u64,
    claimed: u64,
    busy: u64,
    processes: u64,
    default_queue_latency: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<Vec<Day>>,
}

#[derive(Serialize)]
struct Day {
    date: String,
    processed: u64,
    failed: u64,
}

pub(crate) async fn stats(session: &Session, days: Option<u32>) -> Result<()> {
    let Session { api, out, .. } = session;
    let stats = api.stats().await?;
    let days = match days {
        None => None,
        Some(days) => {
            let history = api.history(days, None).await?;
            let day = |day: sancho::api::DayStats| Day {
                date: day.date.to_string(),
                processed: day.processed,
                failed: day.failed,
            };
            Some(history.into_iter().map(day).collect::<Vec<_>>())
        }
    };
    if out.json {
        return out.json(&Shown {
            processed: stats.processed,
            failed: stats.failed,
            enqueued: stats.enqueued,
            scheduled: stats.scheduled,
            retries: stats.retries,
            dead: stats.dead,
            claimed: stats.claimed,
            busy: stats.busy,
            processes: stats.processes,
            default_queue_latency: stats.default_queue_latency.as_secs_f64(),
            days,
        });
    }
    let row = |name: &str, number, look| vec![Cell::name(name), Cell::number(number).looking(look)];
    let bad = |number: u64| if number > 0 { Look::Bad } else { Look::Plain };
    let rows = [
        row("processed", stats.processed, Look::Plain),
        row("failed", stats.failed, Look::Plain),
        row("busy", stats.busy, Look::Good),
        row("enqueued", stats.enqueued, Look::Plain),
        row("scheduled", stats.scheduled, Look::Plain),
        row(
            "retries",
            stats.retries,
            if stats.retries > 0 {
                Look::Warning
            } else {
                Look::Plain
            },
        ),
        row("dead", stats.dead, bad(stats.dead)),
        row(
            "processes",
            stats.processes,
            if stats.processes == 0 {
                Look::Warning
            } else {
                Look::Plain
            },
        ),
    ];
    out.table(&["what", "jobs"], &rows, "")?;
    if let Some(days) = days {
        let row = |day: &Day| {
            vec![
                Cell::name(&day.date),
                Cell::number(day.processed),
                Cell::number(day.failed).looking(bad(day.failed)),
            ]
        };
        out.say("")?;
        out.table(
            &["day", "processed", "failed"],
            &days.iter().map(row).collect::<Vec<_>>(),
            "no days",
        )?;
    }
    Ok(())
}
