//! An entry of the cron.

use axum::response::Response;
use maud::{Markup, html};
use sancho::api::{CronRun, CronStatus};
use sancho::cron::{CatchUp, CronEntry};
use sancho::job::Timestamp;

use crate::app::Asked;
use crate::format::{count, cut, duration, exact, number, relative, rfc3339, time};
use crate::json;
use crate::page::{Page, Place, empty};
use crate::params::Params;
use crate::problem::Problem;
use crate::snapshot::{Snapshots, in_time};

use super::{args, class_link, job_link, tools};
use crate::pages::{masks, notice, queue_link};

/// How many of the next runs are shown.
const NEXT: usize = 10;

/// The longest argument that is shown whole, in characters.
const WHOLE: usize = 8_000;

pub(crate) async fn show(asked: &Asked, params: &Params, name: &str) -> Result<Response, Problem> {
    let status = in_time(asked.app.api.cron().get(name)).await?;
    let status = status.ok_or_else(|| {
        Problem::not_found(format!(
            "There is no entry {:?} of the cron: it was removed, or never was.",
            cut(name, 100)
        ))
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
        (notice(params))
        div.head {
            div {
                h1 { (title) " " @if !status.enabled { span.tag.warn { "disabled" } } }
                p.about {
                    @match &status.entry {
                        Ok(entry) => { (entry.schedule().describe()) " · " (entry.schedule().zone()) }
                        Err(_) => "What it is cannot be read",
                    }
                }
            }
            div.tools { (tools(asked, &status, "entry")) }
        }
        @if let Err(error) = &status.entry {
            p.notice.bad { "Another version wrote what this one cannot read: " (cut(&error.to_string(), 400)) }
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
    let next = status.next_runs(NEXT, asked.now);
    html! {
        section.panel {
            div.title { h2 { "Next runs" } }
            @if let Ok(entry) = &status.entry && !next.is_empty() {
                ol.timeline {
                    @for at in &next {
                        li.next { span { (in_zone(entry, *at)) } time datetime=(rfc3339(*at)) title=(exact(*at)) data-relative { (relative(*at, asked.now)) } }
                    }
                }
            } @else if status.enabled {
                p.muted { "It comes no more." }
            } @else {
                p.muted { "None while it is disabled." }
            }
        }
    }
}

/// A time as clocks show it in the zone of the entry.
fn in_zone(entry: &CronEntry, at: Timestamp) -> String {
    let at = entry.schedule().in_zone(at);
    at.format("%a %Y-%m-%d %H:%M:%S").to_string()
}

fn last_runs(asked: &Asked, status: &CronStatus) -> Markup {
    html! {
        section.panel {
            div.title { h2 { "Last runs" } @if status.ticks > 0 { p { (count(status.ticks, "tick", "ticks")) " were made so far" } } }
            @if status.history().is_empty() {
                (empty("It has not run yet", "Its last runs appear here, with their jobs: ten that came by themselves, and ten that were asked for."))
            } @else {
                div.scroll { table.rows.few {
                    caption.hidden { "Last runs" }
                    thead { tr { th scope="col" { "Pushed" } th scope="col" { "For" } th scope="col" { "Job" } } }
                    tbody { @for run in status.history() { (run_row(asked, run)) } }
                } }
            }
        }
    }
}

fn run_row(asked: &Asked, run: &CronRun) -> Markup {
    html! {
        tr {
            td.when { (time(run.at, asked.now)) }
            td { @match run.tick { Some(tick) => { (exact(tick)) } None => span.badge { "asked for" } } }
            td {
                @if let Some(jid) = &run.jid { (job_link(asked, Some(jid), &html! { code { (cut(jid.as_str(), 60)) } })) }
                @if let Some(error) = &run.error { span.bad { (cut(error, 400)) } }
            }
        }
    }
}

fn arguments_panel(asked: &Asked, entry: &CronEntry) -> Markup {
    let args = args(&asked.app, entry);
    html! {
        section.panel {
            div.title { h2 { "Arguments" } p { (number(args.len() as u64)) } }
            @if args.is_empty() { p.muted { "It takes none." } }
            @for (index, (name, arg)) in args.iter().enumerate() {
                details.argument open {
                    summary { @if let Some(name) = name { code { (name) } } @else { "Argument " (index + 1) } }
                    div.copyable { pre { code { (cut(&json::pretty(arg, masks(&asked.app)), WHOLE)) } } }
                }
            }
        }
    }
}

fn facts(asked: &Asked, status: &CronStatus) -> Markup {
    html! {
        section.panel {
            div.title { h2 { "Facts" } }
            dl.facts {
                @if let Ok(entry) = &status.entry {
                    @if let Some(text) = entry.description_text() { dt { "About" } dd { (cut(text, 2_000)) } }
                    dt { "Expression" } dd.copyable { code { (cut(entry.schedule().expression(), 400)) } }
                    dt { "Zone" } dd { (entry.schedule().zone()) }
                    dt { "Class" } dd { (class_link(asked, entry.class())) }
                    dt { "Queue" } dd { @match entry.queue_name() { Some(queue) => { (queue_link(asked, queue)) } None => "that of its job" } }
                    dt { "Missed ticks" }
                    dd {
                        @match entry.catches_up() {
                            CatchUp::None => "are given up",
                            CatchUp::Last => { "the last is made, within " (duration(entry.grace())) }
                            CatchUp::All(most) => { "the last " (number(most.into())) " are made, within " (duration(entry.grace())) }
                        }
                    }
                }
                dt { "Comes since" } dd { (time(status.since, asked.now)) }
                @if let Some(at) = status.last_tick { dt { "Last tick" } dd { (time(at, asked.now)) } }
                dt { "Declared by" } dd { (cut(&status.origin, 300)) }
            }
        }
    }
}
