//! A job: everything that is known of it, and everything that can be done with it.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use sancho::api::{JobRecord, SortedEntry, Work};
use sancho::job::{Retry, Timestamp};
use sancho::store::TimedSet;

use crate::action::Action;
use crate::app::{App, Asked};
use crate::format::{cut, exact};
use crate::json::{self, MASKED};
use crate::language::Template;
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
        let gone = || Problem::said(StatusCode::NOT_FOUND, |w| w.job_moved_on.to_string());
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
                    let place = cut(place, 40);
                    Problem::said(StatusCode::NOT_FOUND, move |w| {
                        w.no_place.text(&[("place", &place)])
                    })
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
    let w = asked.words;
    let found = Found::look(&asked.app, &params).await?;
    let snapshot = Snapshots::get(&asked.app).await?;
    let job = found.job();
    let class = job.display_class();
    let title = if class.is_empty() {
        &*w.no_job_title
    } else {
        &class
    };
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
                (error(&asked, job))
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
    let w = asked.words;
    let due = |coming: &Template, entry: &SortedEntry| {
        let told = if entry.at() > asked.now {
            coming
        } else {
            &w.was_due
        };
        told.with(&[("time", &w.time(entry.at(), asked.now))])
    };
    html! {
        @match found {
            Found::Entry(kind, entry) => {
                @match kind.set {
                    TimedSet::Schedule => { span.badge { (w.is_scheduled) } " " (due(&w.runs_at, entry)) }
                    TimedSet::Retry => { span.badge.warn { (w.is_retry) } " " (due(&w.tried_again, entry)) }
                    TimedSet::Dead => { span.badge.bad { (w.is_dead) } " " (w.dead_since.with(&[("time", &w.time(entry.at(), asked.now))])) }
                }
                @if !entry.queue().is_empty() { " · " (w.in_queue.with(&[("queue", &queue_link(asked, entry.queue()))])) }
            }
            Found::Waiting { queue, at, backward, .. } => {
                span.badge { (w.is_waiting) } " "
                @let place = if *backward { &w.waits_from_end } else { &w.waits_in };
                (place.with(&[("queue", &queue_link(asked, queue)), ("n", &w.number(at + 1))]))
            }
            Found::Running(work) => {
                span.badge.good { (w.is_running) } " "
                @let process = html! { code { (cut(&work.process, 100)) } };
                @if let Some(at) = work.run_at { (w.runs_for_in.with(&[("time", &w.duration(asked.now.since(at))), ("process", &process)])) }
                @else { (w.runs_in.with(&[("process", &process)])) }
            }
        }
    }
}

fn actions(asked: &Asked, found: &Found) -> Markup {
    let w = asked.words;
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
                (button(asked, Action::RunNext, "next", &w.run_next, None))
                (button(asked, Action::DeleteJobs, "delete", &w.delete, Some(&w.ask_delete_one)))
            }
        },
        Found::Running(work) => html! {
            form method="post" action=(asked.to("busy")) {
                input type="hidden" name="jid" value=(work.job.jid());
                (button(asked, Action::CancelJob, "cancel", &w.cancel, Some(&w.ask_cancel)))
            }
        },
    }
}

fn entry_actions(asked: &Asked, kind: Kind, entry: &SortedEntry) -> Markup {
    let w = asked.words;
    let key = set::key(entry);
    html! {
        form method="post" action=(asked.to(kind.path)) {
            input type="hidden" name="id" value=(key);
            (button(asked, Action::RetryJobs, "retry", if kind.set == TimedSet::Schedule { &w.run_now } else { &w.retry_now }, None))
            @if kind.set != TimedSet::Dead {
                (button(asked, Action::KillJobs, "kill", &w.kill, Some(&w.ask_kill_one)))
            }
            (button(asked, Action::DeleteJobs, "delete", &w.delete, Some(&w.ask_delete_one)))
        }
        @if kind.set != TimedSet::Dead && asked.may(Action::RescheduleJobs) {
            form method="post" action=(asked.to(kind.path)) {
                input type="hidden" name="id" value=(key);
                button type="submit" name="do" value="reschedule" { (w.move_to) }
                label { (w.in_minutes.with(&[("minutes", &html! { input.short type="number" name="minutes" min="0" max="527040" value="60"; })])) }
            }
        }
    }
}

fn error(asked: &Asked, job: &JobRecord) -> Markup {
    let (app, w) = (&asked.app, asked.words);
    let problem = masked::problem(app, job);
    if job.error_class().is_none() && job.error_message().is_none() && problem.is_none() {
        return html! {};
    }
    let backtrace = job.error_backtrace().unwrap_or_default();
    html! {
        section.panel.failure {
            div.title { h2 { (w.error) } }
            @if let Some(problem) = &problem { p.class { (w.not_a_job) } pre { (cut(problem, 2_000)) } }
            @if let Some(class) = job.error_class() { p.class { (cut(&class, 300)) } }
            @if let Some(message) = masked::error_message(app, job) { pre.message { (cut(&message, 20_000)) } }
            @if !backtrace.is_empty() {
                details {
                    summary { (w.backtrace.of(w, backtrace.len() as u64)) }
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
    let w = asked.words;
    let args = arguments(&asked.app, job);
    html! {
        section.panel {
            div.title { h2 { (w.arguments) } p { (w.number(args.len() as u64)) } }
            @if args.is_empty() { p.muted { (w.takes_none) } }
            @for (index, (name, arg)) in args.iter().enumerate() {
                details.argument open[arg.len() <= UNFOLDED] {
                    summary {
                        @if let Some(name) = name { code { (name) } } @else { (w.argument_n.with(&[("n", &(index + 1))])) }
                        span.muted { " " (w.bytes(arg.len() as u64)) }
                    }
                    (json_block(asked, arg))
                }
            }
        }
    }
}

/// A JSON text, laid out where it is short enough.
fn json_block(asked: &Asked, text: &str) -> Markup {
    let w = asked.words;
    let masks = masks(&asked.app);
    html! {
        div.copyable {
            @if text.len() <= WHOLE {
                pre { code { (json::pretty(text, masks)) } }
            } @else if asked.app.options.masked.is_empty() {
                pre { code { (cut(text, WHOLE / 8)) } }
                p.muted { (w.beginning_of.with(&[("size", &w.bytes(text.len() as u64))])) }
            } @else {
                p.muted { (w.too_long.with(&[("size", &w.bytes(text.len() as u64))])) }
            }
        }
    }
}

fn payload_panel(asked: &Asked, job: &JobRecord, params: &Params) -> Markup {
    let w = asked.words;
    let values: Vec<(&str, &str)> = params
        .pairs()
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    html! {
        section.panel {
            details {
                summary { h2 { (w.payload) } span.muted { " " (w.bytes(job.payload().len() as u64)) } }
                (json_block(asked, &masked::payload(&asked.app, job)))
                p { a href={ (asked.to("payload")) (query(&values)) } download { (w.load_file) } }
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
    let w = asked.words;
    let job = found.job();
    let mut events: Vec<(Timestamp, &str, &str)> = Vec::new();
    let mut happened =
        |at: Option<Timestamp>, what, kind| events.extend(at.map(|at| (at, what, kind)));
    happened(job.created_at(), &*w.was_pushed, "");
    happened(job.failed_at(), &w.failed_first, "bad");
    happened(job.retried_at(), &w.failed_last, "bad");
    happened(job.discarded_at(), &w.was_discarded, "bad");
    happened(job.enqueued_at(), &w.came_into_queue, "");
    match found {
        Found::Entry(kind, entry) => {
            let (what, mark) = match kind.set {
                TimedSet::Schedule => (&*w.is_to_run, "next"),
                TimedSet::Retry => (&*w.is_to_be_retried, "next"),
                TimedSet::Dead => (&*w.has_died, "bad"),
            };
            happened(Some(entry.at()), what, mark);
        }
        Found::Running(work) => happened(work.run_at, &w.has_started, "good"),
        Found::Waiting { .. } => {}
    }
    events.sort_by_key(|(at, ..)| *at);
    let first = events.first().map(|(at, ..)| *at);
    html! {
        @if !events.is_empty() {
            section.panel {
                div.title { h2 { (w.timeline) } }
                ol.timeline {
                    @for (index, (at, what, kind)) in events.iter().enumerate() {
                        li class=(kind) {
                            span { (what) }
                            (w.time(*at, asked.now))
                            @if let Some(first) = first.filter(|_| index > 0) { span.muted { "+" (w.duration(at.since(first))) } }
                        }
                    }
                }
            }
        }
    }
}

fn facts(asked: &Asked, job: &JobRecord) -> Markup {
    let w = asked.words;
    let class = job.display_class();
    let field = |json: &str| {
        let line = json::line(json, masks(&asked.app));
        cut(&masked::text(&asked.app, job, line.into()), 400)
    };
    html! {
        section.panel {
            div.title { h2 { (w.facts) } }
            dl.facts {
                dt { (w.id) } dd.copyable { code { (job.jid()) } }
                @if !class.is_empty() {
                    dt { (w.class) }
                    dd { a href={ (asked.to("metrics")) (query(&[("class", &class)])) } { (cut(&class, 200)) }
                        @if class != job.class() { " " span.muted { (w.as_class.with(&[("class", &cut(job.class(), 100))])) } } }
                }
                dt { (w.queue) } dd { (queue_link(asked, job.queue())) }
                @if let Some(retry) = job.retry() {
                    dt { (w.retry) }
                    dd { @match retry { Retry::Default => (w.retry_default), Retry::Never => (w.never), Retry::Times(n) => (w.times.of(w, n.into())) } }
                }
                @if let Some(count) = job.retry_count() { dt { (w.failures) } dd { (count.saturating_add(1)) } }
                @if let Some(at) = job.created_at() { dt { (w.created) } dd { (exact(at)) } }
                @if let Some(at) = job.enqueued_at() { dt { (w.enqueued) } dd { (exact(at)) } }
                @if let Some(bid) = job.bid() { dt { (w.batch) } dd { code { (cut(&bid, 80)) } } }
                @if let Some(recoveries) = job.recoveries() { dt { (w.recovered) } dd { (format!("{recoveries:?}")) } }
                @for (name, json) in job.context().chain(job.extras()).take(50) {
                    dt { code { (cut(name, 60)) } }
                    dd { code { @if masks(&asked.app).hide(name) { (MASKED) } @else { (field(json)) } } }
                }
            }
        }
    }
}
