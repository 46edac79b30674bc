//! Executions by class and time.

use axum::response::Response;
use maud::{Markup, html};
use sancho::api::{BUCKETS, ClassMetrics, Metrics, Period};
use sancho::store::histogram::BOUNDS_MS;

use crate::app::Asked;
use crate::chart::{self, Bar, Unit};
use crate::format::{clock, cut, duration, exact, number, percent};
use crate::links::query;
use crate::page::{Page, Place, empty, head};
use crate::params::Params;
use crate::problem::Problem;
use crate::snapshot::{Snapshots, in_time};

use super::dashboard::{bars_of, mark_of};

/// The periods, in hours.
const RANGES: [u32; 6] = [1, 2, 4, 8, 24, 72];

/// How many classes are shown.
const MOST: usize = 200;

pub(crate) async fn show(asked: Asked, params: Params) -> Result<Response, Problem> {
    let hours = hours(&params);
    let (class, filter) = (params.get("class"), params.get("q"));
    let snapshot = Snapshots::get(&asked.app).await?;
    let title = if class.is_empty() {
        "Metrics".to_owned()
    } else {
        cut(class, 100)
    };
    let page = Page {
        asked: &asked,
        snapshot: &snapshot,
        place: Place::Metrics,
        title: &title,
        live: None,
    };
    let api = &asked.app.api;
    let body = if class.is_empty() {
        let metrics = in_time(api.top_jobs(
            period(hours),
            Some(filter).filter(|filter| !filter.is_empty()),
        ))
        .await?;
        all(&asked, &metrics, hours, filter)
    } else {
        let metrics = in_time(api.metrics_of(class, period(hours))).await?;
        one(&asked, &metrics, hours, class)
    };
    Ok(page.with(&body))
}

/// The hours that were asked for; one, where others were.
pub(crate) fn hours(params: &Params) -> u32 {
    let hours = params.get("hours").parse().ok();
    hours.filter(|hours| RANGES.contains(hours)).unwrap_or(1)
}

pub(crate) fn period(hours: u32) -> Period {
    if hours <= 8 {
        Period::Minutes(hours * 60)
    } else {
        Period::Hours(hours)
    }
}

fn ranges(asked: &Asked, hours: u32, values: &[(&str, &str)]) -> Markup {
    let link = |range: u32| {
        let range = range.to_string();
        let mut values = values.to_vec();
        values.push(("hours", &range));
        format!("{}{}", asked.to("metrics"), query(&values))
    };
    html! {
        span.range { @for range in RANGES { a href=(link(range)) aria-current=[(range == hours).then_some("true")] { (range) " h" } } }
    }
}

fn all(asked: &Asked, metrics: &Metrics, hours: u32, filter: &str) -> Markup {
    let about = html! {
        (number(metrics.classes.len() as u64)) " classes ran in " @if hours == 1 { "the last hour" } @else { "the last " (hours) " hours" }
    };
    let tools = html! {
        form.filter action=(asked.to("metrics")) {
            input type="hidden" name="hours" value=(hours);
            label.hidden for="q" { "Show classes that contain a text" }
            input #q type="search" name="q" value=(filter) placeholder="Class…" autocomplete="off" spellcheck="false";
            button type="submit" { "Filter" }
        }
        (ranges(asked, hours, &[("q", filter)]))
    };
    html! {
        (head("Metrics", &about, &tools))
        section.panel {
            div.title { h2 { "Executions" } (marks(metrics)) }
            (chart::bars(&bars_of(metrics), Unit::Executions, "Executions"))
        }
        section.panel {
            @if metrics.classes.is_empty() {
                (empty("Nothing ran", "Each class that is executed appears here within a minute, with its counts and times."))
            } @else {
                div.scroll { table.rows {
                    caption.hidden { "Classes, those that took the most time first" }
                    thead { tr {
                        th scope="col" { "Class" } th scope="col" { span.hidden { "Over time" } } th.num scope="col" { "Executed" } th.num scope="col" { "Failed" }
                        th.num scope="col" { "Average" } th.num scope="col" { "In all" }
                    } }
                    tbody { @for class in metrics.classes.iter().take(MOST) { (row(asked, class, hours)) } }
                } }
            }
        }
    }
}

fn row(asked: &Asked, class: &ClassMetrics, hours: u32) -> Markup {
    let totals = class.totals();
    let hours = hours.to_string();
    html! {
        tr {
            td.job { a.class href={ (asked.to("metrics")) (query(&[("class", &class.class), ("hours", &hours)])) } { (cut(&class.class, 120)) } }
            td { (chart::spark(&thirds(&class.series.iter().map(|sample| sample.executed).collect::<Vec<_>>()), "Executions over time")) }
            td.num { (number(totals.executed)) }
            td.num .bad[totals.failed > 0] {
                (number(totals.failed))
                @if totals.failed > 0 { span.muted { " " (percent(totals.failed, totals.executed)) } }
            }
            td.num { (average(totals.average_ms())) }
            td.num { (duration(std::time::Duration::from_millis(totals.ms))) }
        }
    }
}

/// The values in at most sixty parts.
fn thirds(values: &[u64]) -> Vec<u64> {
    let each = values.len().div_ceil(60).max(1);
    values.chunks(each).map(|part| part.iter().sum()).collect()
}

fn marks(metrics: &Metrics) -> Markup {
    html! {
        @if !metrics.marks.is_empty() {
            p { "Deployed: " @for mark in metrics.marks.iter().rev().take(4) { span.tag title=(exact(mark.at)) { (cut(&mark.label, 60)) " " (clock(mark.at)) } " " } }
        }
    }
}

fn one(asked: &Asked, metrics: &Metrics, hours: u32, name: &str) -> Markup {
    let Some(class) = metrics.classes.first() else {
        return empty("Nothing ran", "This class was not executed.");
    };
    let totals = class.totals();
    let about = html! {
        (number(totals.executed)) " executed · " (number(totals.failed)) " failed · " (average(totals.average_ms())) " on average"
    };
    let tools = html! { a.button href=(asked.to("metrics")) { "All classes" } (ranges(asked, hours, &[("class", name)])) };
    let averages: Vec<Bar> = class
        .series
        .iter()
        .enumerate()
        .map(|(index, sample)| Bar {
            label: clock(metrics.steps[index]),
            good: whole(sample.average_ms()),
            bad: 0,
            mark: mark_of(metrics, index),
        })
        .collect();
    html! {
        (head(&cut(name, 100), &about, &tools))
        @if totals.executed == 0 {
            section.panel { (empty("Nothing ran", "This class was not executed in this time.")) }
        } @else {
            section.panel {
                div.title { h2 { "Executions" } (marks(metrics)) }
                (chart::bars(&bars_of(metrics), Unit::Executions, "Executions"))
            }
            section.panel {
                div.title { h2 { "Average time, in ms" } }
                (chart::bars(&averages, Unit::Milliseconds, "Average time"))
            }
            @if !class.histograms.is_empty() {
                section.panel {
                    div.title { h2 { "How long executions took" } p { "those that did not fail" } }
                    (histogram(&class.histogram()))
                }
            }
        }
    }
}

fn histogram(counts: &[u64; BUCKETS]) -> Markup {
    let last = counts.iter().rposition(|n| *n > 0).unwrap_or(0);
    let first = counts.iter().position(|n| *n > 0).unwrap_or(0);
    let most = counts.iter().copied().max().unwrap_or(0);
    let total: u64 = counts.iter().sum();
    html! {
        table.histogram {
            caption.hidden { "Executions by how long they took" }
            thead.hidden { tr { th scope="col" { "Time" } th scope="col" { "Share" } th scope="col" { "Executions" } } }
            tbody {
                @for bucket in first..=last {
                    tr {
                        th scope="row" { (bound(bucket)) }
                        td.wide { (chart::share(counts[bucket], most, "")) }
                        td.num { (number(counts[bucket])) }
                        td.num.muted { (percent(counts[bucket], total)) }
                    }
                }
            }
        }
    }
}

/// The times of a bucket.
fn bound(bucket: usize) -> String {
    match BOUNDS_MS.get(bucket) {
        Some(ms) => format!("< {}", duration(std::time::Duration::from_millis(*ms))),
        None => "longer".to_owned(),
    }
}

fn average(ms: f64) -> String {
    if ms >= 1_000.0 {
        return duration(std::time::Duration::from_millis(whole(ms)));
    }
    let decimals = usize::from(ms < 100.0 && ms > 0.0);
    format!("{ms:.decimals$} ms")
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-int cast saturates, which is what is wanted"
)]
fn whole(ms: f64) -> u64 {
    ms.round() as u64
}
