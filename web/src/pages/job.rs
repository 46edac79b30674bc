//! A job: everything that is known of it, and everything that can be done with it.

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use sancho::api::{JobRecord, SortedEntry, Work};
use sancho::job::{Retry, Timestamp};
use sancho::store::TimedSet;

use crate::action::Action;
use crate::app::{App, Asked};
use crate::format::{bytes, cut, duration, exact, number, time};
use crate::json::{self, MASKED};
use crate::links::query;
use crate::page::{Page, Place, button};
use crate::params::Params;
use crate::problem::Problem;
use crate::snapshot::{Snapshots, in_time};

use super::set::Kind;
use super::{arguments, masked, masks, print_of, queue, queue_link, set};

/// The longest text that is shown whole, in bytes; the rest is there to be loaded.
const WHOLE: usize = 64 * 1024;

/// An argument up to this size is unfolded.
const UNFOLDED: usize = 1_500;

/// Where a job was found.
enum Found {
    Entry(Kind, SortedEntry),
    Waiting {
        queue: String,
        at: u64,
        backward: bool,
        job: JobRecord,
    },
    Running(Work),
}

impl Found {
    async fn look(app: &App, params: &Params) -> Result<Self, Problem> {
        let gone = || {
            Problem::not_found(
                "This job does not stand there any more: it ran, or somebody has moved or deleted it.",
            )
        };
        match params.get("in") {
            "queue" => {
                let queue = app.api.queue(params.get("name"))?;
                let (at, job) = queue::find(&queue, params).await?.ok_or_else(gone)?;
                Ok(Self::Waiting {
                    queue: queue.name().to_owned(),
                    at,
                    backward: params.get("order") == "last",
                    job,
                })
            }
            "busy" => {
                let work = in_time(app.api.find_work(params.get("jid"))).await?;
                Ok(Self::Running(work.ok_or_else(gone)?))
            }
            place => {
                let kind = Kind::named(place).ok_or_else(|| {
                    Problem::not_found(format!("There is no place {:?} for jobs.", cut(place, 40)))
                })?;
                let entry =
                    set::find(&kind.jobs(app), params.get("id"), params.get("print")).await?;
                Ok(Self::Entry(kind, entry.ok_or_else(gone)?))
            }
        }
    }

    fn job(&self) -> &JobRecord {
        match self {
            Self::Entry(_, entry) => entry.job(),
            Self::Waiting { job, .. } => job,
            Self::Running(work) => &work.job,
        }
    }

    fn place(&self) -> Place {
        match self {
            Self::Entry(kind, _) => match kind.set {
                TimedSet::Schedule => Place::Scheduled,
                TimedSet::Retry => Place::Retries,
                TimedSet::Dead => Place::Dead,
            },
            Self::Waiting { .. } => Place::Queues,
            Self::Running(_) => Place::Busy,
        }
    }
}

pub(crate) async fn show(asked: Asked, params: Params) -> Result<Response, Problem> {
    let found = Found::look(&asked.app, &params).await?;
    let snapshot = Snapshots::get(&asked.app).await?;
    let job = found.job();
    let class = job.display_class();
    let title = if class.is_empty() { "No job" } else { &class };
    let title = cut(title, 120);
    let page = Page {
        asked: &asked,
        snapshot: &snapshot,
        place: found.place(),
        title: &title,
        live: None,
    };
    Ok(page.with(&html! {
        div.head {
            div {
                h1 { (title) " " @for tag in job.tags().iter().take(12) { span.tag { (cut(&masked::text(&asked.app, job, tag.into()), 40)) } " " } }
                p.about { (state(&asked, &found)) }
            }
            div.tools { (actions(&asked, &found)) }
        }
        div.job-page {
            div {
                (error(&asked.app, job))
                (arguments_panel(&asked, job))
                (payload_panel(&asked, job, &params))
            }
            div {
                (timeline(&asked, &found))
                (facts(&asked, job))
            }
        }
    }))
}

/// Where it stands, in words.
fn state(asked: &Asked, found: &Found) -> Markup {
    html! {
        @match found {
            Found::Entry(kind, entry) => {
                @match kind.set {
                    TimedSet::Schedule => { span.badge { "scheduled" } @if entry.at() > asked.now { " runs " } @else { " was due " } (time(entry.at(), asked.now)) }
                    TimedSet::Retry => { span.badge.warn { "retry" } @if entry.at() > asked.now { " is tried again " } @else { " was due " } (time(entry.at(), asked.now)) }
                    TimedSet::Dead => { span.badge.bad { "dead" } " since " (time(entry.at(), asked.now)) }
                }
                @if !entry.queue().is_empty() { " · queue " (queue_link(asked, entry.queue())) }
            }
            Found::Waiting { queue, at, backward, .. } => {
                span.badge { "waiting" } " in " (queue_link(asked, queue)) ", place " (number(at + 1)) @if *backward { " from the end" }
            }
            Found::Running(work) => {
                span.badge.good { "running" }
                @if let Some(at) = work.run_at { " for " (duration(asked.now.since(at))) }
                " in " code { (cut(&work.process, 100)) }
            }
        }
    }
}

fn actions(asked: &Asked, found: &Found) -> Markup {
    match found {
        Found::Entry(kind, entry) => entry_actions(asked, *kind, entry),
        Found::Waiting {
            queue,
            at,
            backward,
            job,
        } => html! {
            form method="post" action=(asked.to("queue")) {
                (queue::named(queue, *backward, *at, job, &print_of(job.payload())))
                (button(asked, Action::RunNext, "next", "Run next", None))
                (button(asked, Action::DeleteJobs, "delete", "Delete", Some("Delete this job?")))
            }
        },
        Found::Running(work) => html! {
            form method="post" action=(asked.to("busy")) {
                input type="hidden" name="jid" value=(work.job.jid());
                (button(asked, Action::CancelJob, "cancel", "Cancel", Some("Tell this job to end? It is not tried again.")))
            }
        },
    }
}

fn entry_actions(asked: &Asked, kind: Kind, entry: &SortedEntry) -> Markup {
    let key = set::key(entry);
    html! {
        form method="post" action=(asked.to(kind.path)) {
            input type="hidden" name="id" value=(key);
            (button(asked, Action::RetryJobs, "retry", if kind.set == TimedSet::Schedule { "Run now" } else { "Retry now" }, None))
            @if kind.set != TimedSet::Dead {
                (button(asked, Action::KillJobs, "kill", "Kill", Some("Move this job to the dead set?")))
            }
            (button(asked, Action::DeleteJobs, "delete", "Delete", Some("Delete this job?")))
        }
        @if kind.set != TimedSet::Dead && asked.may(Action::RescheduleJobs) {
            form method="post" action=(asked.to(kind.path)) {
                input type="hidden" name="id" value=(key);
                button type="submit" name="do" value="reschedule" { "Move to" }
                label { "in " input.short type="number" name="minutes" min="0" max="527040" value="60"; " min" }
            }
        }
    }
}

fn error(app: &App, job: &JobRecord) -> Markup {
    let problem = masked::problem(app, job);
    if job.error_class().is_none() && job.error_message().is_none() && problem.is_none() {
        return html! {};
    }
    let backtrace = job.error_backtrace().unwrap_or_default();
    html! {
        section.panel.failure {
            div.title { h2 { "Error" } }
            @if let Some(problem) = &problem { p.class { "This is no job" } pre { (cut(problem, 2_000)) } }
            @if let Some(class) = job.error_class() { p.class { (cut(&class, 300)) } }
            @if let Some(message) = masked::error_message(app, job) { pre.message { (cut(&message, 20_000)) } }
            @if !backtrace.is_empty() {
                details {
                    summary { "Backtrace, " (number(backtrace.len() as u64)) " lines" }
                    pre { @for line in backtrace.iter().take(500) { (unescaped(&masked::text(app, job, line.into()))) "\n" } }
                }
            }
        }
    }
}

/// A line of a backtrace as it was before it was written: Sidekiq's own page shows these lines unescaped, so `&` and `<` are.
fn unescaped(line: &str) -> String {
    cut(line, 2_000).replace("&lt;", "<").replace("&amp;", "&")
}

fn arguments_panel(asked: &Asked, job: &JobRecord) -> Markup {
    let args = arguments(&asked.app, job);
    html! {
        section.panel {
            div.title { h2 { "Arguments" } p { (number(args.len() as u64)) } }
            @if args.is_empty() { p.muted { "It takes none." } }
            @for (index, (name, arg)) in args.iter().enumerate() {
                details.argument open[arg.len() <= UNFOLDED] {
                    summary {
                        @if let Some(name) = name { code { (name) } } @else { "Argument " (index + 1) }
                        span.muted { " " (bytes(arg.len() as u64)) }
                    }
                    (json_block(asked, arg))
                }
            }
        }
    }
}

/// A JSON text, laid out where it is short enough.
fn json_block(asked: &Asked, text: &str) -> Markup {
    let masks = masks(&asked.app);
    html! {
        div.copyable {
            @if text.len() <= WHOLE {
                pre { code { (json::pretty(text, masks)) } }
            } @else if asked.app.options.masked.is_empty() {
                pre { code { (cut(text, WHOLE / 8)) } }
                p.muted { "The beginning of " (bytes(text.len() as u64)) "; the whole payload can be loaded below." }
            } @else {
                p.muted { (bytes(text.len() as u64)) ": too long to be shown with what is masked." }
            }
        }
    }
}

fn payload_panel(asked: &Asked, job: &JobRecord, params: &Params) -> Markup {
    let values: Vec<(&str, &str)> = params
        .pairs()
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    html! {
        section.panel {
            details {
                summary { h2 { "Payload" } span.muted { " " (bytes(job.payload().len() as u64)) } }
                (json_block(asked, &masked::payload(&asked.app, job)))
                p { a href={ (asked.to("payload")) (query(&values)) } download { "Load it as a file" } }
            }
        }
    }
}

pub(crate) async fn payload(asked: Asked, params: Params) -> Result<Response, Problem> {
    let found = Found::look(&asked.app, &params).await?;
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CONTENT_DISPOSITION, "attachment; filename=\"payload.json\""),
    ];
    let body = if asked.app.options.masked.is_empty() {
        found.job().payload().clone()
    } else {
        masked::payload(&asked.app, found.job()).into()
    };
    Ok((headers, body).into_response())
}

/// What has happened to it, and what comes next.
fn timeline(asked: &Asked, found: &Found) -> Markup {
    let job = found.job();
    let mut events: Vec<(Timestamp, &str, &str)> = Vec::new();
    let mut happened =
        |at: Option<Timestamp>, what, kind| events.extend(at.map(|at| (at, what, kind)));
    happened(job.created_at(), "pushed", "");
    happened(job.failed_at(), "failed first", "bad");
    happened(job.retried_at(), "failed last", "bad");
    happened(job.discarded_at(), "discarded", "bad");
    happened(job.enqueued_at(), "came into its queue", "");
    match found {
        Found::Entry(kind, entry) => {
            let (what, mark) = match kind.set {
                TimedSet::Schedule => ("is to run", "next"),
                TimedSet::Retry => ("is to be tried again", "next"),
                TimedSet::Dead => ("died", "bad"),
            };
            happened(Some(entry.at()), what, mark);
        }
        Found::Running(work) => happened(work.run_at, "started", "good"),
        Found::Waiting { .. } => {}
    }
    events.sort_by_key(|(at, ..)| *at);
    let first = events.first().map(|(at, ..)| *at);
    html! {
        @if !events.is_empty() {
            section.panel {
                div.title { h2 { "Timeline" } }
                ol.timeline {
                    @for (index, (at, what, kind)) in events.iter().enumerate() {
                        li class=(kind) {
                            span { (what) }
                            (time(*at, asked.now))
                            @if let Some(first) = first.filter(|_| index > 0) { span.muted { "+" (duration(at.since(first))) } }
                        }
                    }
                }
            }
        }
    }
}

fn facts(asked: &Asked, job: &JobRecord) -> Markup {
    let class = job.display_class();
    let field = |json: &str| {
        let line = json::line(json, masks(&asked.app));
        cut(&masked::text(&asked.app, job, line.into()), 400)
    };
    html! {
        section.panel {
            div.title { h2 { "Facts" } }
            dl.facts {
                dt { "Id" } dd.copyable { code { (job.jid()) } }
                @if !class.is_empty() {
                    dt { "Class" }
                    dd { a href={ (asked.to("metrics")) (query(&[("class", &class)])) } { (cut(&class, 200)) }
                        @if class != job.class() { span.muted { " as " (cut(job.class(), 100)) } } }
                }
                dt { "Queue" } dd { (queue_link(asked, job.queue())) }
                @if let Some(retry) = job.retry() {
                    dt { "Retry" }
                    dd { @match retry { Retry::Default => "as its server says (25)", Retry::Never => "never", Retry::Times(n) => { (number(n.into())) " times" } } }
                }
                @if let Some(count) = job.retry_count() { dt { "Failures" } dd { (count.saturating_add(1)) } }
                @if let Some(at) = job.created_at() { dt { "Created" } dd { (exact(at)) } }
                @if let Some(at) = job.enqueued_at() { dt { "Enqueued" } dd { (exact(at)) } }
                @if let Some(bid) = job.bid() { dt { "Batch" } dd { code { (cut(&bid, 80)) } } }
                @if let Some(recoveries) = job.recoveries() { dt { "Recovered" } dd { (format!("{recoveries:?}")) } }
                @for (name, json) in job.context().chain(job.extras()).take(50) {
                    dt { code { (cut(name, 60)) } }
                    dd { code { @if masks(&asked.app).hide(name) { (MASKED) } @else { (field(json)) } } }
                }
            }
        }
    }
}
