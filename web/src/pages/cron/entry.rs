//! An entry of the cron.

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use sancho::api::{CronRun, CronStatus};
use sancho::cron::{CatchUp, CronEntry};
use sancho::job::Timestamp;

use crate::app::Asked;
use crate::format::{cut, exact};
use crate::json;
use crate::language::Words;
use crate::page::{Page, Place, empty};
use crate::params::Params;
use crate::problem::Problem;
use crate::snapshot::{Snapshots, in_time};

use super::{args, class_link, described, job_link, tools};
use crate::pages::{masks, notice, queue_link};

/// How many of the next runs are shown.
const NEXT: usize = 10;

/// The longest argument that is shown whole, in characters.
const WHOLE: usize = 8_000;

pub(crate) async fn show(asked: &Asked, params: &Params, name: &str) -> Result<Response, Problem> {
    let w = asked.words;
    let status = in_time(asked.app.api.cron().get(name)).await?;
    let status = status.ok_or_else(|| {
        let name = cut(name, 100);
        Problem::said(StatusCode::NOT_FOUND, move |w| {
            w.no_entry.text(&[("name", &name)])
        })
    })?;
    let snapshot = Snapshots::get(&asked.app).await?;
    let title = cut(&status.name, 100);
    let page = Page {
        asked,
        snapshot: &snapshot,
        place: Place::Cron,
        title: &title,
        live: None,
    };
    Ok(page.with(&html! {
        (notice(w, params))
        div.head {
            div {
                h1 { (title) " " @if !status.enabled { span.tag.warn { (w.is_disabled) } } }
                p.about {
                    @match &status.entry {
                        Ok(entry) => { (described(w, entry)) " · " (entry.schedule().zone()) }
                        Err(_) => (w.entry_unknown_form),
                    }
                }
            }
            div.tools { (tools(asked, &status, "entry")) }
        }
        @if let Err(error) = &status.entry {
            p.notice.bad { (w.other_version.with(&[("error", &cut(&error.to_string(), 400))])) }
        }
        div.job-page {
            div {
                (last_runs(asked, &status))
                @if let Ok(entry) = &status.entry { (arguments_panel(asked, entry)) }
            }
            div {
                (next_runs(asked, &status))
                (facts(asked, &status))
            }
        }
    }))
}

fn next_runs(asked: &Asked, status: &CronStatus) -> Markup {
    let w = asked.words;
    let next = status.next_runs(NEXT, asked.now);
    html! {
        section.panel {
            div.title { h2 { (w.next_runs) } }
            @if let Ok(entry) = &status.entry && !next.is_empty() {
                ol.timeline {
                    @for at in &next {
                        li.next { span { (in_zone(w, entry, *at)) } (w.time(*at, asked.now)) }
                    }
                }
            } @else if status.enabled {
                p.muted { (w.comes_no_more) }
            } @else {
                p.muted { (w.none_while_disabled) }
            }
        }
    }
}

/// A time as clocks show it in the zone of the entry.
fn in_zone(w: &Words, entry: &CronEntry, at: Timestamp) -> String {
    w.weekday_and_time(&entry.schedule().in_zone(at))
}

fn last_runs(asked: &Asked, status: &CronStatus) -> Markup {
    let w = asked.words;
    html! {
        section.panel {
            div.title { h2 { (w.last_runs) } @if status.ticks > 0 { p { (w.ticks_made.of(w, status.ticks)) } } }
            @if status.history().is_empty() {
                (empty(&w.not_run_yet, &w.not_run_yet_hint))
            } @else {
                div.scroll { table.rows.few {
                    caption.hidden { (w.last_runs) }
                    thead { tr { th scope="col" { (w.pushed) } th scope="col" { (w.for_tick) } th scope="col" { (w.job) } } }
                    tbody { @for run in status.history() { (run_row(asked, run)) } }
                } }
            }
        }
    }
}

fn run_row(asked: &Asked, run: &CronRun) -> Markup {
    let w = asked.words;
    html! {
        tr {
            td.when { (w.time(run.at, asked.now)) }
            td { @match run.tick { Some(tick) => { (exact(tick)) } None => span.badge { (w.asked_for) } } }
            td {
                @if let Some(jid) = &run.jid { (job_link(asked, Some(jid), &html! { code { (cut(jid.as_str(), 60)) } })) }
                @if let Some(error) = &run.error { span.bad { (cut(error, 400)) } }
            }
        }
    }
}

fn arguments_panel(asked: &Asked, entry: &CronEntry) -> Markup {
    let w = asked.words;
    let args = args(&asked.app, entry);
    html! {
        section.panel {
            div.title { h2 { (w.arguments) } p { (w.number(args.len() as u64)) } }
            @if args.is_empty() { p.muted { (w.takes_none) } }
            @for (index, (name, arg)) in args.iter().enumerate() {
                details.argument open {
                    summary { @if let Some(name) = name { code { (name) } } @else { (w.argument_n.with(&[("n", &(index + 1))])) } }
                    div.copyable { pre { code { (cut(&json::pretty(arg, masks(&asked.app)), WHOLE)) } } }
                }
            }
        }
    }
}

fn facts(asked: &Asked, status: &CronStatus) -> Markup {
    let w = asked.words;
    html! {
        section.panel {
            div.title { h2 { (w.facts) } }
            dl.facts {
                @if let Ok(entry) = &status.entry {
                    @if let Some(text) = entry.description_text() { dt { (w.about) } dd { (cut(text, 2_000)) } }
                    dt { (w.expression) } dd.copyable { code { (cut(entry.schedule().expression(), 400)) } }
                    dt { (w.zone) } dd { (entry.schedule().zone()) }
                    dt { (w.class) } dd { (class_link(asked, entry.class())) }
                    dt { (w.queue) } dd { @match entry.queue_name() { Some(queue) => { (queue_link(asked, queue)) } None => (w.queue_of_job) } }
                    dt { (w.missed_ticks) }
                    dd {
                        @match entry.catches_up() {
                            CatchUp::None => (w.given_up),
                            CatchUp::Last => (w.last_made.with(&[("time", &w.duration(entry.grace()))])),
                            CatchUp::All(most) => (w.lasts_made.with(&[("n", &w.number(most.into())), ("time", &w.duration(entry.grace()))])),
                        }
                    }
                }
                dt { (w.comes_since) } dd { (w.time(status.since, asked.now)) }
                @if let Some(at) = status.last_tick { dt { (w.last_tick) } dd { (w.time(at, asked.now)) } }
                dt { (w.declared_by) } dd { (cut(&status.origin, 300)) }
            }
        }
    }
}
