//! The first page: is anything late, does anything fail, does anybody work.

use std::time::Duration;

use axum::response::Response;
use maud::{Markup, html};
use sancho::api::{DayStats, Metrics, Period, Process, QueueSummary};

use crate::app::Asked;
use crate::chart::{self, Bar, Unit};
use crate::format;
use crate::language::Words;
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
        title: &asked.words.dashboard,
        live: Some("dashboard"),
    };
    Ok(page.with(&html! {
        (head(&asked.words.dashboard, &html! {}, &html! {}))
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
    let w = asked.words;
    let stats = &snapshot.overview.stats;
    let tiles = [
        (&w.processed, stats.processed, "metrics", ""),
        (&w.failed, stats.failed, "errors", ""),
        (&w.busy, stats.busy, "busy", ""),
        (&w.enqueued, stats.enqueued, "queues", ""),
        (&w.scheduled, stats.scheduled, "scheduled", ""),
        (
            &w.retries,
            stats.retries,
            "retries",
            if stats.retries > 0 { "warn" } else { "" },
        ),
        (
            &w.dead,
            stats.dead,
            "dead",
            if stats.dead > 0 { "bad" } else { "" },
        ),
    ];
    html! {
        section.totals aria-label=(w.totals) {
            @for (name, n, path, kind) in tiles {
                a href=(asked.to(path)) {
                    span.name { (name) }
                    strong class=(kind) data-long[n >= 100_000_000] { (w.number(n)) }
                }
            }
        }
    }
}

/// What somebody should look at.
fn concerns(asked: &Asked, snapshot: &Snapshot) -> Markup {
    let w = asked.words;
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
                    li.bad { strong { (w.nobody_works) } " " (w.nobody_works_why.with(&[("jobs_wait", &w.jobs_wait.of(w, overview.stats.enqueued))])) }
                } @else if !unserved.is_empty() {
                    li.bad {
                        strong { (w.unserved.of(w, unserved.len() as u64)) } " "
                        @for queue in unserved.iter().take(8) { (queue_link(asked, &queue.name)) " " }
                    }
                }
                @if !late.is_empty() {
                    li.warn {
                        strong { (w.late.of(w, late.len() as u64)) } " "
                        @for (index, queue) in late.iter().take(6).enumerate() {
                            @if index > 0 { ", " } (w.late_in.with(&[("queue", &queue_link(asked, &queue.name)), ("time", &w.duration(queue.latency))]))
                        }
                        @if late.len() > 6 { ", " (w.and_so_on) }
                    }
                }
                @if silent > 0 {
                    li.warn { (w.silent.of(w, silent as u64)) " " a href=(asked.to("busy")) { (w.see_which) } }
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
    let w = asked.words;
    let bars = bars_of(recent);
    let (executed, failed) = bars.iter().fold((0, 0), |(all, bad), bar| {
        (all + bar.good + bar.bad, bad + bar.bad)
    });
    html! {
        section.panel {
            div.title {
                h2 { (w.last_hour) }
                p {
                    span.key.good {} (w.n_succeeded.with(&[("n", &w.number(executed - failed))]))
                    span.key.bad {} (w.n_failed.with(&[("n", &w.number(failed))]))
                    @if failed > 0 { " · " (w.share(failed, executed)) }
                    " · " a href=(asked.to("metrics")) { (w.by_class) }
                }
            }
            (chart::bars(w, &bars, Unit::Executions, &w.last_hour_by_minute))
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
    let w = asked.words;
    let overview = &snapshot.overview;
    let mut queues: Vec<_> = overview.queues.iter().collect();
    queues.sort_by_key(|queue| (std::cmp::Reverse(queue.size), &queue.name));
    let longest = queues.first().map_or(0, |queue| queue.size);
    html! {
        section.panel {
            div.title { h2 { (w.queues) } p { a href=(asked.to("queues")) { (w.all_n.with(&[("n", &w.number(queues.len() as u64))])) } } }
            @if queues.is_empty() {
                (empty(&w.no_queues, &w.no_queues_hint))
            } @else {
                table {
                    caption.hidden { (w.longest_queues) }
                    thead { tr { th scope="col" { (w.queue) } th.num scope="col" { (w.jobs_head) } th.wide scope="col" { span.hidden { (w.share_head) } } th.num scope="col" { (w.latency) } } }
                    tbody {
                        @for queue in queues.into_iter().take(10) {
                            tr {
                                td { span.class { (queue_link(asked, &queue.name)) } " " (badges(w, queue, &overview.processes)) }
                                td.num { (w.number(queue.size)) }
                                td.wide { (chart::share(queue.size, longest, "")) }
                                td.num .warn[queue.latency >= LATE] { @if queue.size > 0 { (w.duration(queue.latency)) } @else { "–" } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What is to be known about a queue.
pub(crate) fn badges(w: &'static Words, queue: &QueueSummary, processes: &[Process]) -> Markup {
    html! {
        @if queue.paused { span.badge.warn { (w.badge_paused) } }
        @if queue.size > 0 && !is_served(queue, processes) { span.badge.bad { (w.badge_unserved) } }
    }
}

fn health(asked: &Asked, snapshot: &Snapshot) -> Markup {
    let w = asked.words;
    let overview = &snapshot.overview;
    let slots: u64 = overview
        .processes
        .iter()
        .map(|process| process.concurrency)
        .sum();
    let busy = overview.stats.busy;
    html! {
        section.panel {
            div.title { h2 { (w.workers_and_store) } p { a href=(asked.to("busy")) { (w.busy) } } }
            dl.facts {
                dt { (w.processes) } dd { (w.number(overview.stats.processes)) }
                dt { (w.slots) }
                dd { (w.of_total.with(&[("n", &w.number(busy)), ("total", &w.number(slots))])) " " (chart::share(busy, slots, "")) }
                dt { (w.claimed) } dd { (w.number(overview.stats.claimed)) }
                dt { (w.memory) } dd { (w.bytes(overview.processes.iter().map(|process| process.rss_kb).sum::<u64>().saturating_mul(1_024))) }
                dt { (w.store) } dd { code { (asked.app.store_name) } }
                dt { (w.answer_took) } dd { (w.cost(snapshot.cost)) }
            }
        }
    }
}

fn past(asked: &Asked, history: &[DayStats], days: u32) -> Markup {
    let w = asked.words;
    let bar = |day: &DayStats| {
        let failed = day.failed.min(day.processed);
        Bar {
            label: w.day(day.date),
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
                h2 { (w.history) }
                p {
                    (w.processed_failed.with(&[("processed", &w.number(executed)), ("failed", &w.number(failed))]))
                    span.range {
                        @for range in RANGES {
                            a href={ (asked.to("")) (query(&[("days", &range.to_string())])) "#history" } aria-current=[(range == days).then_some("true")] { (w.unit_d.with(&[("n", &range)])) }
                        }
                    }
                }
            }
            (chart::bars(w, &bars, Unit::Executions, &w.days_before))
        }
    }
}
