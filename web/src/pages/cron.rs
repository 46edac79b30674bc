//! The cron: all entries.

mod entry;

use axum::response::Response;
use maud::{Markup, html};
use sancho::api::CronStatus;
use sancho::cron::CronEntry;
use sancho::job::JobId;
use serde_json::value::RawValue;

use crate::action::Action;
use crate::app::{App, Asked};
use crate::format::cut;
use crate::language::{Language, Words};
use crate::links::query;
use crate::live::Table;
use crate::page::{Page, Place, button, empty, head};
use crate::params::{Params, Posted};
use crate::problem::Problem;
use crate::snapshot::{Snapshots, in_time};

use super::{Pager, back, line_of, named_arguments, notice};

pub(crate) async fn show(asked: Asked, params: Params) -> Result<Response, Problem> {
    let w = asked.words;
    let name = params.get("name");
    if !name.is_empty() {
        return entry::show(&asked, &params, name).await;
    }
    let snapshot = Snapshots::get(&asked.app).await?;
    let entries = in_time(asked.app.api.cron().list()).await?;
    let (from, rows) = (params.number("from").unwrap_or(0), params.rows());
    let total = entries.len() as u64;
    let is_live = from == 0;
    let view = is_live.then(|| Table::of_cron(rows).view());
    let disabled = entries.iter().filter(|entry| !entry.enabled).count() as u64;
    let about = html! {
        (w.entries_n.of(w, total)) @if disabled > 0 { " · " (w.n_disabled.with(&[("n", &w.number(disabled))])) }
    };
    let page = Page {
        asked: &asked,
        snapshot: &snapshot,
        place: Place::Cron,
        title: &w.cron,
        live: view.as_deref(),
    };
    Ok(page.with(&html! {
        (notice(w, &params))
        (head(&w.cron, &about, &html! {}))
        div data-current[is_live] { (current(&asked, &entries, from, rows)) }
    }))
}

/// What stays current.
pub(crate) fn current(asked: &Asked, entries: &[CronStatus], from: u64, rows: usize) -> Markup {
    let w = asked.words;
    let first = usize::try_from(from).unwrap_or(usize::MAX);
    let shown: Vec<_> = entries.iter().skip(first).take(rows).collect();
    let total = entries.len() as u64;
    let pager = Pager {
        asked,
        path: "cron",
        values: &[],
        from,
        shown: shown.len(),
        total,
        rows,
        next: from.checked_add(rows as u64).filter(|next| *next < total),
    };
    html! {
        section.panel {
            @if shown.is_empty() {
                @if from > 0 { (empty(&w.nothing_here, &w.fewer_entries)) }
                @else { (empty(&w.nothing_cron, &w.nothing_cron_hint)) }
            } @else {
                div.scroll { (table(asked, &shown)) }
            }
        }
        @if total > 25 { (pager.show()) }
    }
}

fn table(asked: &Asked, entries: &[&CronStatus]) -> Markup {
    let w = asked.words;
    html! {
        table.rows.cron {
            caption.hidden { (w.cron_caption) }
            thead { tr {
                th scope="col" { (w.entry) } th scope="col" { (w.comes) } th scope="col" { (w.job) }
                th scope="col" { (w.next_run) } th scope="col" { (w.last_run) } th scope="col" { span.hidden { (w.actions) } }
            } }
            tbody { @for status in entries { (row(asked, status)) } }
        }
    }
}

fn row(asked: &Asked, status: &CronStatus) -> Markup {
    let w = asked.words;
    let next = status.next_runs(1, asked.now);
    html! {
        tr {
            td.job {
                a.class href=(link(asked, &status.name)) { (cut(&status.name, 100)) }
                @if !status.enabled { " " span.badge.warn { (w.is_disabled) } }
                @if let Ok(entry) = &status.entry { span.args { (cut(entry.description_text().unwrap_or_default(), 200)) } }
            }
            @match &status.entry {
                Ok(entry) => {
                    td.job { (described(w, entry)) code.args { (expression(entry)) } }
                    td.job { (class_link(asked, entry.class())) code.args { (args_line(&asked.app, entry)) } }
                }
                Err(error) => td.error colspan="2" { strong { (w.entry_unreadable) } span { (cut(&error.to_string(), 200)) } }
            }
            td data-of=(w.next_run) { @if let Some(at) = next.first() { (w.time(*at, asked.now)) } @else { span.muted { "–" } } }
            td data-of=(w.last_run) { (last_run(asked, status)) }
            td.act { (tools(asked, status, "")) }
        }
    }
}

fn last_run(asked: &Asked, status: &CronStatus) -> Markup {
    let w = asked.words;
    html! {
        @if let Some(run) = status.history().first() {
            (job_link(asked, run.jid.as_ref(), &w.time(run.at, asked.now)))
            @if let Some(error) = &run.error { " " span.badge.bad title=(cut(error, 400)) { (w.has_failed) } }
        } @else if let Some(at) = status.last_tick {
            (w.time(at, asked.now))
        } @else {
            span.muted { "–" }
        }
    }
}

/// What can be done with an entry, on its own page or in the list.
fn tools(asked: &Asked, status: &CronStatus, from: &str) -> Markup {
    let w = asked.words;
    html! {
        form method="post" action=(asked.to("cron")) {
            input type="hidden" name="name" value=(status.name);
            @if !from.is_empty() { input type="hidden" name="back" value=(from); }
            @if status.entry.is_ok() { (button(asked, Action::RunCron, "run", &w.run_now, None)) }
            @if status.enabled { (button(asked, Action::SwitchCron, "disable", &w.disable, None)) }
            @else { (button(asked, Action::SwitchCron, "enable", &w.enable, None)) }
        }
    }
}

/// The page of an entry.
fn link(asked: &Asked, name: &str) -> String {
    format!("{}{}", asked.to("cron"), query(&[("name", name)]))
}

/// A link to the job of a run, which is looked for where it is by now.
fn job_link(asked: &Asked, jid: Option<&JobId>, text: &Markup) -> Markup {
    html! {
        @if let Some(jid) = jid { a.queue href={ (asked.to("find")) (query(&[("jid", jid.as_str())])) } { (text) } }
        @else { (text) }
    }
}

fn class_link(asked: &Asked, class: &str) -> Markup {
    html! {
        a.queue href={ (asked.to("metrics")) (query(&[("class", class)])) } { (cut(class, 120)) }
    }
}

/// When it comes, in words: English ones, in every language.
fn described(w: &Words, entry: &CronEntry) -> Markup {
    let text = entry.schedule().describe();
    html! {
        @if w.language == Language::English { (text) } @else { span lang="en" dir="ltr" { (text) } }
    }
}

/// The expression as it was written, with its zone.
fn expression(entry: &CronEntry) -> String {
    let schedule = entry.schedule();
    format!("{} {}", cut(schedule.expression(), 100), schedule.zone())
}

/// The arguments, named where the job is linked into this program, and masked.
pub(crate) fn args(app: &App, entry: &CronEntry) -> Vec<(Option<&'static str>, String)> {
    let args: Vec<&RawValue> = serde_json::from_str(entry.args_json()).unwrap_or_default();
    let args = args.into_iter().map(|arg| arg.get().to_owned());
    named_arguments(app, entry.class(), args)
}

fn args_line(app: &App, entry: &CronEntry) -> String {
    line_of(app, &args(app, entry))
}

/// What can be asked of an entry.
pub(crate) enum Deed {
    Enable,
    Disable,
    Run,
}

impl Deed {
    pub(crate) fn named(name: &str) -> Result<Self, Problem> {
        match name {
            "enable" => Ok(Self::Enable),
            "disable" => Ok(Self::Disable),
            "run" => Ok(Self::Run),
            _ => Err(Problem::invalid(
                "Nothing was done: an entry can be told enable, disable or run.",
            )),
        }
    }

    pub(crate) fn action(&self) -> Action {
        match self {
            Self::Enable | Self::Disable => Action::SwitchCron,
            Self::Run => Action::RunCron,
        }
    }

    /// Does it, and gives the job that was pushed.
    pub(crate) async fn act(&self, asked: &Asked, name: &str) -> Result<Option<JobId>, Problem> {
        let cron = asked.app.api.cron();
        let did = match self {
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::Run => "run",
        };
        asked.begin(self.action(), &format!("{did} {name}"))?;
        match self {
            Self::Enable => cron.enable(name).await?,
            Self::Disable => cron.disable(name).await?,
            Self::Run => return Ok(Some(cron.run_now(name).await?)),
        }
        Ok(None)
    }
}

pub(crate) async fn act(asked: Asked, Posted(posted): Posted) -> Result<Response, Problem> {
    let (name, did) = (posted.get("name"), posted.get("do"));
    let deed = Deed::named(did)?;
    deed.act(&asked, name).await?;
    // Its page shows the job that was pushed.
    let leads_to = match (deed, posted.get("back")) {
        (Deed::Run, _) | (_, "entry") => name,
        _ => "",
    };
    Ok(back(&asked, "cron", &[("name", leads_to), ("did", did)]))
}
