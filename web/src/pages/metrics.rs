//! Executions by class and time.

use axum::response::Response;
use maud::{Markup, html};
use sancho::api::{BUCKETS, ClassMetrics, Metrics, Period};
use sancho::store::histogram::BOUNDS_MS;

use crate::app::Asked;
use crate::chart::{self, Bar, Unit};
use crate::format::{clock, cut, exact};
use crate::language::Words;
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
    let w = asked.words;
    let hours = hours(&params);
    let (class, filter) = (params.get("class"), params.get("q"));
    let snapshot = Snapshots::get(&asked.app).await?;
    let title = if class.is_empty() {
        w.metrics.to_string()
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
    let w = asked.words;
    let link = |range: u32| {
        let range = range.to_string();
        let mut values = values.to_vec();
        values.push(("hours", &range));
        format!("{}{}", asked.to("metrics"), query(&values))
    };
    html! {
        span.range { @for range in RANGES { a href=(link(range)) aria-current=[(range == hours).then_some("true")] { (w.unit_h.with(&[("n", &range)])) } } }
    }
}

fn all(asked: &Asked, metrics: &Metrics, hours: u32, filter: &str) -> Markup {
    let w = asked.words;
    let about = html! {
        (w.classes_n.of(w, metrics.classes.len() as u64)) " · " (w.last_hours.of(w, hours.into()))
    };
    let tools = html! {
        form.filter action=(asked.to("metrics")) {
            input type="hidden" name="hours" value=(hours);
            label.hidden for="q" { (w.classes_label) }
            input #q type="search" name="q" value=(filter) placeholder=(w.classes_placeholder) autocomplete="off" spellcheck="false";
            button type="submit" { (w.filter) }
        }
        (ranges(asked, hours, &[("q", filter)]))
    };
    html! {
        (head(&w.metrics, &about, &tools))
        section.panel {
            div.title { h2 { (w.executions) } (marks(w, metrics)) }
            (chart::bars(w, &bars_of(metrics), Unit::Executions, &w.executions))
        }
        section.panel {
            @if metrics.classes.is_empty() {
                (empty(&w.nothing_ran, &w.nothing_ran_hint))
            } @else {
                div.scroll { table.rows {
                    caption.hidden { (w.classes_caption) }
                    thead { tr {
                        th scope="col" { (w.class) } th scope="col" { span.hidden { (w.over_time) } } th.num scope="col" { (w.executed) } th.num scope="col" { (w.failed) }
                        th.num scope="col" { (w.average) } th.num scope="col" { (w.in_all) }
                    } }
                    tbody { @for class in metrics.classes.iter().take(MOST) { (row(asked, class, hours)) } }
                } }
            }
        }
    }
}

fn row(asked: &Asked, class: &ClassMetrics, hours: u32) -> Markup {
    let w = asked.words;
    let totals = class.totals();
    let hours = hours.to_string();
    html! {
        tr {
            td.job { a.class href={ (asked.to("metrics")) (query(&[("class", &class.class), ("hours", &hours)])) } { (cut(&class.class, 120)) } }
            td { (chart::spark(&thirds(&class.series.iter().map(|sample| sample.executed).collect::<Vec<_>>()), &w.executions_over_time)) }
            td.num data-of=(w.executed) { (w.number(totals.executed)) }
            td.num .bad[totals.failed > 0] data-of=(w.failed) {
                (w.number(totals.failed))
                @if totals.failed > 0 { span.muted { " " (w.share(totals.failed, totals.executed)) } }
            }
            td.num data-of=(w.average) { (average(w, totals.average_ms())) }
            td.num data-of=(w.in_all) { (w.duration(std::time::Duration::from_millis(totals.ms))) }
        }
    }
}

/// The values in at most sixty parts.
fn thirds(values: &[u64]) -> Vec<u64> {
    let each = values.len().div_ceil(60).max(1);
    values.chunks(each).map(|part| part.iter().sum()).collect()
}

fn marks(w: &'static Words, metrics: &Metrics) -> Markup {
    html! {
        @if !metrics.marks.is_empty() {
            p { (w.deployed) " " @for mark in metrics.marks.iter().rev().take(4) { span.tag title=(exact(mark.at)) { (cut(&mark.label, 60)) " " (clock(mark.at)) } " " } }
        }
    }
}

fn one(asked: &Asked, metrics: &Metrics, hours: u32, name: &str) -> Markup {
    let w = asked.words;
    let Some(class) = metrics.classes.first() else {
        return empty(&w.nothing_ran, &w.class_did_not_run);
    };
    let totals = class.totals();
    let about = html! {
        (w.n_executed.with(&[("n", &w.number(totals.executed))])) " · "
        (w.n_failed.with(&[("n", &w.number(totals.failed))])) " · "
        (w.on_average.with(&[("time", &average(w, totals.average_ms()))]))
    };
    let tools = html! { a.button href=(asked.to("metrics")) { (w.all_classes) } (ranges(asked, hours, &[("class", name)])) };
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
            section.panel { (empty(&w.nothing_ran, &w.class_did_not_run)) }
        } @else {
            section.panel {
                div.title { h2 { (w.executions) } (marks(w, metrics)) }
                (chart::bars(w, &bars_of(metrics), Unit::Executions, &w.executions))
            }
            section.panel {
                div.title { h2 { (w.average_ms) } }
                (chart::bars(w, &averages, Unit::Milliseconds, &w.average_time))
            }
            @if !class.histograms.is_empty() {
                section.panel {
                    div.title { h2 { (w.how_long) } p { (w.those_that_succeeded) } }
                    (histogram(w, &class.histogram()))
                }
            }
        }
    }
}

fn histogram(w: &'static Words, counts: &[u64; BUCKETS]) -> Markup {
    let last = counts.iter().rposition(|n| *n > 0).unwrap_or(0);
    let first = counts.iter().position(|n| *n > 0).unwrap_or(0);
    let most = counts.iter().copied().max().unwrap_or(0);
    let total: u64 = counts.iter().sum();
    html! {
        table.histogram {
            caption.hidden { (w.histogram_caption) }
            thead.hidden { tr { th scope="col" { (w.time_head) } th scope="col" { (w.share_head) } th scope="col" { (w.executions) } } }
            tbody {
                @for bucket in first..=last {
                    tr {
                        th scope="row" { (bound(w, bucket)) }
                        td.wide { (chart::share(counts[bucket], most, "")) }
                        td.num { (w.number(counts[bucket])) }
                        td.num.muted { (w.share(counts[bucket], total)) }
                    }
                }
            }
        }
    }
}

/// The times of a bucket.
fn bound(w: &Words, bucket: usize) -> String {
    match BOUNDS_MS.get(bucket) {
        Some(ms) => format!("< {}", w.duration(std::time::Duration::from_millis(*ms))),
        None => w.longer.to_string(),
    }
}

fn average(w: &Words, ms: f64) -> String {
    if ms >= 1_000.0 {
        return w.duration(std::time::Duration::from_millis(whole(ms)));
    }
    w.milliseconds(ms)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-int cast saturates, which is what is wanted"
)]
fn whole(ms: f64) -> u64 {
    ms.round() as u64
}
