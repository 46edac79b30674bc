//! The pages, and what several of them show.

pub(crate) mod busy;
pub(crate) mod choices;
pub(crate) mod cron;
pub(crate) mod dashboard;
pub(crate) mod errors;
pub(crate) mod find;
pub(crate) mod job;
pub(crate) mod masked;
pub(crate) mod metrics;
pub(crate) mod queue;
pub(crate) mod queues;
pub(crate) mod search;
pub(crate) mod set;
pub(crate) mod sweep;

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use sancho::api::{Acted, JobRecord};

use crate::app::{App, Asked};
use crate::format::cut;
use crate::json::{self, MASKED, Masks};
use crate::language::Words;
use crate::links::query;
use crate::page::{Page, Place};
use crate::params::Params;
use crate::problem::Problem;
use crate::snapshot::Snapshots;

/// How many characters of the arguments a row shows.
const ARGS: usize = 240;

pub(crate) async fn missing(asked: Asked) -> Problem {
    let path = cut(&asked.path, 100);
    Problem::said(StatusCode::NOT_FOUND, move |w| {
        w.no_page.text(&[("path", &path)])
    })
}

/// What became of an action on several jobs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    done: u64,
    gone: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, acted: Acted) {
        match acted {
            Acted::Done => self.done += 1,
            Acted::Gone => self.gone += 1,
        }
    }

    /// Back to the page, with what happened.
    pub(crate) fn back(
        self,
        asked: &Asked,
        path: &str,
        did: &str,
        rest: &[(&str, &str)],
    ) -> Response {
        let (done, gone) = (self.done.to_string(), self.gone.to_string());
        let mut values = rest.to_vec();
        values.extend([("did", did), ("n", &*done)]);
        if self.gone > 0 {
            values.push(("gone", &*gone));
        }
        back(asked, path, &values)
    }
}

/// To a page, by a browser that has posted.
pub(crate) fn back(asked: &Asked, path: &str, values: &[(&str, &str)]) -> Response {
    // What was counted before is not shown after.
    asked.app.snapshots.forget();
    let to = format!("{}{}", asked.to(path), query(values));
    (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response()
}

/// What was done, above the page that it leads back to. Only words of this list and numbers are shown: a link says nothing else.
pub(crate) fn notice(w: &'static Words, params: &Params) -> Markup {
    let n = params.number("n").unwrap_or(1);
    let done = match params.get("did") {
        "delete" => w.did_delete.of(w, n),
        "retry" => w.did_retry.of(w, n),
        "kill" => w.did_kill.of(w, n),
        "reschedule" => w.did_reschedule.of(w, n),
        "next" => w.did_next.of(w, n),
        "cancel" => w.did_cancel.to_string(),
        "removed" => w.did_remove.to_string(),
        "missed" => w.did_miss.to_string(),
        "pause" => w.did_pause.to_string(),
        "resume" => w.did_resume.to_string(),
        "clear" => w.did_clear.to_string(),
        "quiet" => w.did_quiet.of(w, n),
        "stop" => w.did_stop.of(w, n),
        "dump" => w.did_dump.of(w, n),
        "enable" => w.did_enable.to_string(),
        "disable" => w.did_disable.to_string(),
        "run" => w.did_run.to_string(),
        "nothing" => w.did_nothing.to_string(),
        _ => return html! {},
    };
    let gone = params.number("gone").unwrap_or(0);
    html! {
        p.notice role="status" {
            (done)
            @if gone > 0 { " " (w.gone_already.of(w, gone)) }
        }
    }
}

/// Asks whether it is meant, by a page that posts the same again.
pub(crate) async fn confirm(
    asked: &Asked,
    path: &str,
    posted: &Params,
    question: &str,
) -> Result<Response, Problem> {
    let w = asked.words;
    let snapshot = Snapshots::get(&asked.app).await?;
    let page = Page {
        asked,
        snapshot: &snapshot,
        place: Place::None,
        title: &w.is_it_meant,
        live: None,
    };
    Ok(page.with(&html! {
        section.problem {
            h1 { (question) }
            p.text { (w.no_undo) }
            form method="post" action=(asked.to(path)) {
                @for (name, value) in posted.pairs() {
                    input type="hidden" name=(name) value=(value);
                }
                input type="hidden" name="sure" value="yes";
                div.tools {
                    a.button href=(asked.to(path)) { (w.cancel) }
                    button.danger type="submit" { (w.do_it) }
                }
            }
        }
    }))
}

/// A text that tells payloads with the same id apart.
pub(crate) fn print_of(payload: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    payload.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The masks of this dashboard.
pub(crate) fn masks(app: &App) -> Masks<'_> {
    Masks(&app.options.masked)
}

/// The arguments and the names of their parameters, where the job is linked into this program; masked, each as JSON text.
pub(crate) fn arguments(app: &App, job: &JobRecord) -> Vec<(Option<&'static str>, String)> {
    // A wrapper's arguments are those of the job in it.
    named_arguments(app, &job.display_class(), job.display_args().into_iter())
}

/// The same as they are, for what looks for them elsewhere.
fn unmasked_arguments(job: &JobRecord) -> Vec<(Option<&'static str>, String)> {
    let names = parameters(&job.display_class());
    let args = job.display_args().into_iter().enumerate();
    args.map(|(index, arg)| (names.get(index).map(|info| info.name), arg))
        .collect()
}

/// The same of these arguments of a class.
fn named_arguments(
    app: &App,
    class: &str,
    args: impl Iterator<Item = String>,
) -> Vec<(Option<&'static str>, String)> {
    let masks = masks(app);
    let names = parameters(class);
    args.enumerate()
        .map(|(index, arg)| {
            let name = names.get(index).map(|info| info.name);
            let hidden = name.is_some_and(|name| masks.hide(name));
            (name, if hidden { MASKED.to_owned() } else { arg })
        })
        .collect()
}

/// The parameters of a job that is linked into this program; none of another.
fn parameters(class: &str) -> &'static [sancho::__private::ArgInfo] {
    let definition = sancho::__private::JOBS
        .iter()
        .find(|definition| definition.class == class || definition.aliases.contains(&class));
    definition.map_or(&[][..], |definition| definition.args)
}

/// The arguments on one line, as much of them as a row has room for.
pub(crate) fn arguments_line(app: &App, job: &JobRecord) -> String {
    line_of(app, &arguments(app, job))
}

fn line_of(app: &App, args: &[(Option<&'static str>, String)]) -> String {
    let mut text = String::new();
    for (index, (_, arg)) in args.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str(&json::line(arg, masks(app)));
        if text.len() > ARGS * 4 {
            break;
        }
    }
    cut(&text, ARGS)
}

/// A job in a row: its class, which leads to its page, its tags, and its arguments.
pub(crate) fn job_cell(asked: &Asked, job: &JobRecord, href: &str) -> Markup {
    let class = job.display_class();
    html! {
        td.job {
            a.class href=(href) { @if class.is_empty() { em { (asked.words.no_job) } } @else { (cut(&class, 120)) } }
            @for tag in job.tags().iter().take(6) { " " span.tag { (cut(&masked::text(&asked.app, job, tag.into()), 40)) } }
            code.args {
                @if job.problem().is_some() && asked.app.options.masked.is_empty() { (cut(&job.text(), ARGS)) }
                @else { (arguments_line(&asked.app, job)) }
            }
        }
    }
}

/// A link to a queue.
pub(crate) fn queue_link(asked: &Asked, name: &str) -> Markup {
    html! {
        @if !name.is_empty() { a.queue href={ (asked.to("queue")) (query(&[("name", name)])) } { (cut(name, 60)) } }
    }
}

/// The links to the pages before and after this one, and how many rows they have.
pub(crate) struct Pager<'a> {
    pub(crate) asked: &'a Asked,
    pub(crate) path: &'a str,
    /// What stays the same from page to page.
    pub(crate) values: &'a [(&'a str, &'a str)],
    pub(crate) from: u64,
    pub(crate) shown: usize,
    pub(crate) total: u64,
    pub(crate) rows: usize,
    pub(crate) next: Option<u64>,
}

impl Pager<'_> {
    pub(crate) fn show(&self) -> Markup {
        let w = self.asked.words;
        let last = self.from.saturating_add(self.shown as u64);
        let (first, end) = (w.number(self.from.saturating_add(1)), w.number(last));
        let total = w.number(self.total.max(last));
        html! {
            nav.pager aria-label=(w.more_rows) {
                span {
                    @if self.shown > 0 { (w.range.with(&[("from", &first), ("to", &end), ("total", &total)])) }
                }
                span.rows {
                    @for rows in [25, 50, 100, 200] {
                        a href=(self.link(0, rows)) aria-current=[(rows == self.rows).then_some("true")] { (rows) }
                    }
                    " " (w.rows)
                }
                span.steps {
                    @if self.from > 0 {
                        a rel="first" href=(self.link(0, self.rows)) { (w.first_page) }
                        a rel="prev" href=(self.link(self.from.saturating_sub(self.rows as u64), self.rows)) { (w.previous_page) }
                    }
                    @if let Some(next) = self.next { a rel="next" href=(self.link(next, self.rows)) { (w.next_page) } }
                }
            }
        }
    }

    fn link(&self, from: u64, rows: usize) -> String {
        let (from, rows) = (zero_is_empty(from), rows.to_string());
        let mut values = self.values.to_vec();
        values.extend([
            ("from", &*from),
            ("rows", if rows == "25" { "" } else { &*rows }),
        ]);
        let query = query(&values);
        format!("{}{query}", self.asked.to(self.path))
    }
}

fn zero_is_empty(n: u64) -> String {
    if n == 0 { String::new() } else { n.to_string() }
}
