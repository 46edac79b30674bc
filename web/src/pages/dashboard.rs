//! The first page: is anything late, does anything fail, does anybody work.

use std::time::Duration;

use axum::response::Response;
use maud::{Markup, html};
use sancho::api::{DayStats, Metrics, Period, Process, QueueSummary};

use crate::app::Asked;
use crate::chart::{self, Bar, Unit};
use crate::format::{self, cost, count, duration, number, percent};
use crate::links::query;
use crate::page::{Page, Place, empty, head};
use crate::params::Params;
use crate::problem::Problem;
use crate::snapshot::{Snapshot, Snapshots, in_time};

use super::queue_link;

/// The choices of the history, in days.
const RANGES: [u32; 4] = [7, 30, 90, 180];

/// A process that has said nothing for so long is late: it beats every five or ten seconds.
const LATE_BEAT: Duration = Duration::from_secs(25);

/// A queue whose next job has waited for so long is late.
const LATE: Duration = Duration::from_secs(60);

pub(crate) async fn show(asked: Asked, params: Params) -> Result<Response, Problem> {
    let days = params
        .get("days")
        .parse()
        .ok()
        .filter(|days| RANGES.contains(days));
    let days = days.unwrap_or(30);
    let api = &asked.app.api;
    let snapshot = Snapshots::get(&asked.app).await?;
    let recent = in_time(api.top_jobs(Period::Minutes(60), None)).await?;
    let history = in_time(api.history(days, None)).await?;
    let page = Page {
        asked: &asked,
        snapshot: &snapshot,
        place: Place::Dashboard,
        title: "Dashboard",
        live: Some("dashboard"),
    };
    Ok(page.with(&html! {
        (head("Dashboard", &html! {}, &html! {}))
        div data-current { (current(&asked, &snapshot, &recent)) }
        (past(&asked, &history, days))
    }))
}

/// What stays current.
pub(crate) fn current(asked: &Asked, snapshot: &Snapshot, recent: &Metrics) -> Markup {
    html! {
        (totals(asked, snapshot))
        (concerns(asked, snapshot))
        (last_hour(asked, recent))
        div.two {
            (queues(asked, snapshot))
            (health(asked, snapshot))
        }
    }
}

fn totals(asked: &Asked, snapshot: &Snapshot) -> Markup {
    let stats = &snapshot.overview.stats;
    let tiles = [
        ("Processed", stats.processed, "metrics", ""),
        ("Failed", stats.failed, "errors", ""),
        ("Busy", stats.busy, "busy", ""),
        ("Enqueued", stats.enqueued, "queues", ""),
        ("Scheduled", stats.scheduled, "scheduled", ""),
        (
            "Retries",
            stats.retries,
            "retries",
            if stats.retries > 0 { "warn" } else { "" },
        ),
        (
            "Dead",
            stats.dead,
            "dead",
            if stats.dead > 0 { "bad" } else { "" },
        ),
    ];
    html! {
        section.totals aria-label="Totals" {
            @for (name, n, path, kind) in tiles {
                a href=(asked.to(path)) {
                    span.name { (name) }
                    strong class=(kind) { (number(n)) }
                }
            }
        }
    }
}

/// What somebody should look at.
fn concerns(asked: &Asked, snapshot: &Snapshot) -> Markup {
    let overview = &snapshot.overview;
    let waiting = |queue: &&QueueSummary| queue.size > 0;
    let unserved: Vec<_> = overview
        .queues
        .iter()
        .filter(waiting)
        .filter(|queue| !is_served(queue, &overview.processes))
        .collect();
    let late: Vec<_> = overview
        .queues
        .iter()
        .filter(waiting)
        .filter(|queue| {
            queue.latency >= LATE && is_served(queue, &overview.processes) && !queue.paused
        })
        .collect();
    let silent = overview
        .processes
        .iter()
        .filter(|process| is_silent(process, snapshot))
        .count();
    let nobody = overview.processes.is_empty() && overview.stats.enqueued > 0;
    html! {
        @if nobody || !unserved.is_empty() || !late.is_empty() || silent > 0 {
            ul.concerns {
                @if nobody {
                    li.bad { strong { "Nobody works." } " No process shows itself, and " (count(overview.stats.enqueued, "job waits", "jobs wait")) "." }
                } @else if !unserved.is_empty() {
                    li.bad {
                        strong { "No worker serves " (count(unserved.len() as u64, "queue", "queues")) " in which jobs wait: " }
                        @for queue in unserved.iter().take(8) { (queue_link(asked, &queue.name)) " " }
                    }
                }
                @if !late.is_empty() {
                    li.warn {
                        strong { (count(late.len() as u64, "queue is late", "queues are late")) ":" } " the next job waits "
                        @for (index, queue) in late.iter().take(6).enumerate() {
                            @if index > 0 { ", " } "in " (queue_link(asked, &queue.name)) " for " (duration(queue.latency))
                        }
                        @if late.len() > 6 { ", and so on" }
                        "."
                    }
                }
                @if silent > 0 {
                    li.warn { (count(silent as u64, "process has", "processes have")) " said nothing for a while. " a href=(asked.to("busy")) { "See which" } }
                }
            }
        }
    }
}

/// Whether a process takes jobs from it.
pub(crate) fn is_served(queue: &QueueSummary, processes: &[Process]) -> bool {
    processes
        .iter()
        .any(|process| !process.quiet && process.queues.contains(&queue.name))
}

pub(crate) fn is_silent(process: &Process, snapshot: &Snapshot) -> bool {
    process
        .beat
        .is_none_or(|beat| snapshot.at.since(beat) > LATE_BEAT)
}

fn last_hour(asked: &Asked, recent: &Metrics) -> Markup {
    let bars = bars_of(recent);
    let (executed, failed) = bars.iter().fold((0, 0), |(all, bad), bar| {
        (all + bar.good + bar.bad, bad + bar.bad)
    });
    html! {
        section.panel {
            div.title {
                h2 { "Last hour" }
                p {
                    span.key.good {} (number(executed - failed)) " succeeded"
                    span.key.bad {} (number(failed)) " failed"
                    @if failed > 0 { " · " (percent(failed, executed)) }
                    " · " a href=(asked.to("metrics")) { "by class" }
                }
            }
            (chart::bars(&bars, Unit::Executions, "The last hour by minute"))
        }
    }
}

/// A bar for each step, all classes together.
pub(crate) fn bars_of(metrics: &Metrics) -> Vec<Bar> {
    let steps = metrics.steps.iter().enumerate();
    steps
        .map(|(index, at)| {
            let samples = metrics
                .classes
                .iter()
                .filter_map(|class| class.series.get(index));
            let (executed, failed) = samples.fold((0_u64, 0_u64), |(all, bad), sample| {
                (
                    all.saturating_add(sample.executed),
                    bad.saturating_add(sample.failed),
                )
            });
            let failed = failed.min(executed);
            Bar {
                label: format::clock(*at),
                good: executed - failed,
                bad: failed,
                mark: mark_of(metrics, index),
            }
        })
        .collect()
}

/// The deploy that falls into a step.
pub(crate) fn mark_of(metrics: &Metrics, index: usize) -> Option<String> {
    let from = *metrics.steps.get(index)?;
    let until = from.after(Duration::from_secs(metrics.step_seconds.into()));
    let mark = metrics
        .marks
        .iter()
        .find(|mark| mark.at >= from && mark.at < until)?;
    Some(format::cut(&mark.label, 60))
}

fn queues(asked: &Asked, snapshot: &Snapshot) -> Markup {
    let overview = &snapshot.overview;
    let mut queues: Vec<_> = overview.queues.iter().collect();
    queues.sort_by_key(|queue| (std::cmp::Reverse(queue.size), &queue.name));
    let longest = queues.first().map_or(0, |queue| queue.size);
    html! {
        section.panel {
            div.title { h2 { "Queues" } p { a href=(asked.to("queues")) { "all " (number(queues.len() as u64)) } } }
            @if queues.is_empty() {
                (empty("No queues yet", "A queue appears here with the first job that is pushed to it."))
            } @else {
                table {
                    caption.hidden { "The longest queues" }
                    thead { tr { th scope="col" { "Queue" } th.num scope="col" { "Jobs" } th.wide scope="col" { span.hidden { "Share" } } th.num scope="col" { "Latency" } } }
                    tbody {
                        @for queue in queues.into_iter().take(10) {
                            tr {
                                td { span.class { (queue_link(asked, &queue.name)) } " " (badges(queue, &overview.processes)) }
                                td.num { (number(queue.size)) }
                                td.wide { (chart::share(queue.size, longest, "")) }
                                td.num .warn[queue.latency >= LATE] { @if queue.size > 0 { (duration(queue.latency)) } @else { "–" } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What is to be known about a queue.
pub(crate) fn badges(queue: &QueueSummary, processes: &[Process]) -> Markup {
    html! {
        @if queue.paused { span.badge.warn { "paused" } }
        @if queue.size > 0 && !is_served(queue, processes) { span.badge.bad { "no worker serves this queue" } }
    }
}

fn health(asked: &Asked, snapshot: &Snapshot) -> Markup {
    let overview = &snapshot.overview;
    let slots: u64 = overview
        .processes
        .iter()
        .map(|process| process.concurrency)
        .sum();
    let busy = overview.stats.busy;
    html! {
        section.panel {
            div.title { h2 { "Workers and store" } p { a href=(asked.to("busy")) { "busy" } } }
            dl.facts {
                dt { "Processes" } dd { (number(overview.stats.processes)) }
                dt { "Slots in use" }
                dd { (number(busy)) " of " (number(slots)) " " (chart::share(busy, slots, "")) }
                dt { "Claimed jobs" } dd { (number(overview.stats.claimed)) }
                dt { "Memory" } dd { (format::bytes(overview.processes.iter().map(|process| process.rss_kb).sum::<u64>().saturating_mul(1_024))) }
                dt { "Store" } dd { code { (asked.app.store_name) } }
                dt { "Its answer took" } dd { (cost(snapshot.cost)) }
            }
        }
    }
}

fn past(asked: &Asked, history: &[DayStats], days: u32) -> Markup {
    let bar = |day: &DayStats| {
        let failed = day.failed.min(day.processed);
        Bar {
            label: day.date.format("%-d %b").to_string(),
            good: day.processed - failed,
            bad: failed,
            mark: None,
        }
    };
    let bars: Vec<Bar> = history.iter().rev().map(bar).collect();
    let executed: u64 = history.iter().map(|day| day.processed).sum();
    let failed: u64 = history.iter().map(|day| day.failed).sum();
    html! {
        section.panel #history {
            div.title {
                h2 { "History" }
                p {
                    (number(executed)) " processed, " (number(failed)) " failed"
                    span.range {
                        @for range in RANGES {
                            a href={ (asked.to("")) (query(&[("days", &range.to_string())])) "#history" } aria-current=[(range == days).then_some("true")] { (range) " d" }
                        }
                    }
                }
            }
            (chart::bars(&bars, Unit::Executions, "The days before today"))
        }
    }
}
