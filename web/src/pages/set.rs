//! The schedule, the retries and the dead set.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use sancho::api::{Acted, JobSet, SortedEntry, Sweep};
use sancho::job::Timestamp;
use sancho::store::{Order, TimedSet};

use crate::action::Action;
use crate::app::{App, Asked};
use crate::format::cut;
use crate::language::Words;
use crate::links::query;
use crate::page::{Page, Place, button, empty, head};
use crate::params::{Params, Posted};
use crate::problem::{Problem, Said};
use crate::snapshot::{Snapshot, Snapshots, in_time};
use crate::sweeps::Sweeps;

use super::{Pager, Tally, back, confirm, job_cell, notice, print_of, queue_link};

/// How long a page looks through a set for a text.
const BUDGET: Duration = Duration::from_millis(120);

/// How many entries are looked at in one round trip.
const PART: usize = 500;

/// A set as a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) set: TimedSet,
    pub(crate) path: &'static str,
    place: Place,
    order: Order,
}

pub(crate) const SCHEDULED: Kind = Kind {
    set: TimedSet::Schedule,
    path: "scheduled",
    place: Place::Scheduled,
    order: Order::Forward,
};

pub(crate) const RETRIES: Kind = Kind {
    set: TimedSet::Retry,
    path: "retries",
    place: Place::Retries,
    order: Order::Forward,
};

pub(crate) const DEAD: Kind = Kind {
    set: TimedSet::Dead,
    path: "dead",
    place: Place::Dead,
    order: Order::Backward,
};

/// What is done to entries.
#[derive(Clone, Copy, Debug)]
struct Deed {
    name: &'static str,
    action: Action,
    destroys: bool,
}

const DEEDS: [Deed; 3] = [
    Deed {
        name: "retry",
        action: Action::RetryJobs,
        destroys: false,
    },
    Deed {
        name: "kill",
        action: Action::KillJobs,
        destroys: true,
    },
    Deed {
        name: "delete",
        action: Action::DeleteJobs,
        destroys: true,
    },
];

impl Kind {
    /// The set of this name, Sidekiq's or that of the page.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [SCHEDULED, RETRIES, DEAD]
            .into_iter()
            .find(|kind| kind.path == name || kind.set.name() == name)
    }

    pub(crate) fn jobs(self, app: &App) -> JobSet {
        app.api.set(self.set)
    }

    pub(crate) fn size(self, snapshot: &Snapshot) -> u64 {
        let stats = &snapshot.overview.stats;
        match self.set {
            TimedSet::Schedule => stats.scheduled,
            TimedSet::Retry => stats.retries,
            TimedSet::Dead => stats.dead,
        }
    }

    fn deeds(self) -> impl Iterator<Item = Deed> {
        DEEDS
            .into_iter()
            .filter(move |deed| deed.name != "kill" || self.set != TimedSet::Dead)
    }

    /// What it is called.
    pub(crate) fn title(self, w: &'static Words) -> &'static str {
        self.place.name(w)
    }

    /// What its time is.
    fn when(self, w: &'static Words) -> &'static str {
        match self.set {
            TimedSet::Schedule => &w.runs_head,
            TimedSet::Retry => &w.next_try,
            TimedSet::Dead => &w.died,
        }
    }

    /// What a button is called here.
    fn word(self, w: &'static Words, deed: Deed) -> &'static str {
        match (deed.name, self.set) {
            ("retry", TimedSet::Schedule) => &w.run_now,
            ("retry", _) => &w.retry_now,
            ("kill", _) => &w.kill,
            _ => &w.delete,
        }
    }
}

pub(crate) async fn scheduled(asked: Asked, params: Params) -> Result<Response, Problem> {
    show(SCHEDULED, &asked, &params).await
}

pub(crate) async fn retries(asked: Asked, params: Params) -> Result<Response, Problem> {
    show(RETRIES, &asked, &params).await
}

pub(crate) async fn dead(asked: Asked, params: Params) -> Result<Response, Problem> {
    show(DEAD, &asked, &params).await
}

pub(crate) async fn act_on_scheduled(
    asked: Asked,
    Posted(posted): Posted,
) -> Result<Response, Problem> {
    act(SCHEDULED, &asked, &posted).await
}

pub(crate) async fn act_on_retries(
    asked: Asked,
    Posted(posted): Posted,
) -> Result<Response, Problem> {
    act(RETRIES, &asked, &posted).await
}

pub(crate) async fn act_on_dead(asked: Asked, Posted(posted): Posted) -> Result<Response, Problem> {
    act(DEAD, &asked, &posted).await
}

/// What a page of a set has.
struct Found {
    entries: Vec<SortedEntry>,
    next: Option<u64>,
    /// How many entries were looked at, where a text was looked for.
    looked_at: Option<u64>,
}

async fn show(kind: Kind, asked: &Asked, params: &Params) -> Result<Response, Problem> {
    let w = asked.words;
    let snapshot = Snapshots::get(&asked.app).await?;
    let (text, from, rows) = (
        params.get("q"),
        params.number("from").unwrap_or(0),
        params.rows(),
    );
    let found = if text.is_empty() {
        let page = in_time(kind.jobs(&asked.app).page(kind.order, from, rows)).await?;
        Found {
            entries: page.entries,
            next: page.next,
            looked_at: None,
        }
    } else {
        look(kind, asked, text, from, rows).await?
    };
    let size = kind.size(&snapshot);
    let page = Page {
        asked,
        snapshot: &snapshot,
        place: kind.place,
        title: kind.title(w),
        live: None,
    };
    let filter = html! {
        form.filter action=(asked.to(kind.path)) {
            label.hidden for="q" { (w.contains_label) }
            input #q type="search" name="q" value=(text) placeholder=(w.contains) autocomplete="off" spellcheck="false";
            button type="submit" { (w.filter) }
        }
    };
    Ok(page.with(&html! {
        (notice(w, params))
        (head(kind.title(w), &html! { (w.jobs.of(w, size)) }, &filter))
        (looked(kind, asked, text, &found, size))
        @if found.entries.is_empty() {
            section.panel { (nothing(w, kind, text, from, found.next.is_some())) }
        } @else {
            form method="post" action=(asked.to(kind.path)) data-select {
                input type="hidden" name="q" value=(text);
                (selection(kind, asked))
                section.panel { div.scroll { (table(kind, asked, &found.entries)) } }
            }
        }
        @if text.is_empty() {
            (Pager { asked, path: kind.path, values: &[], from, shown: found.entries.len(), total: size, rows, next: found.next }.show())
        }
        @if size > 0 { (all(kind, asked, text, size)) }
    }))
}

/// Looks for a text, as long as there is time for it and as there is room on the page.
async fn look(
    kind: Kind,
    asked: &Asked,
    text: &str,
    from: u64,
    rows: usize,
) -> Result<Found, Problem> {
    let set = kind.jobs(&asked.app);
    let began = Instant::now();
    let mut found = Found {
        entries: Vec::new(),
        next: Some(from),
        looked_at: Some(0),
    };
    while let Some(cursor) = found.next {
        let part = in_time(set.scan(text, cursor, PART)).await?;
        found.entries.extend(part.entries);
        found.next = part.next;
        found.looked_at = found.looked_at.map(|n| n + part.looked_at);
        if found.entries.len() >= rows || began.elapsed() >= BUDGET {
            break;
        }
    }
    found.entries.sort_by_key(SortedEntry::at);
    if kind.order == Order::Backward {
        found.entries.reverse();
    }
    Ok(found)
}

/// How much of the set was looked at for a text, and the way to the rest.
fn looked(kind: Kind, asked: &Asked, text: &str, found: &Found, size: u64) -> Markup {
    let w = asked.words;
    html! {
        @if let Some(looked_at) = found.looked_at {
            p.looked {
                (w.looked_for.with(&[
                    ("text", &cut(text, 80)),
                    ("jobs", &w.jobs.of(w, found.entries.len() as u64)),
                    ("n", &w.number(looked_at.min(size))),
                    ("total", &w.number(size)),
                ]))
                " "
                @if let Some(next) = found.next {
                    a href={ (asked.to(kind.path)) (query(&[("q", text), ("from", &next.to_string())])) } { (w.look_at_more) }
                    " · "
                }
                a href=(asked.to(kind.path)) { (w.show_all) }
            }
        }
    }
}

fn nothing(w: &'static Words, kind: Kind, text: &str, from: u64, more: bool) -> Markup {
    if !text.is_empty() {
        let hint = if more { &w.set_not_whole } else { &w.set_whole };
        return empty(&w.nothing_found, hint);
    }
    if from > 0 {
        return empty(&w.nothing_here, &w.fewer_jobs);
    }
    match kind.set {
        TimedSet::Schedule => empty(&w.nothing_scheduled, &w.nothing_scheduled_hint),
        TimedSet::Retry => empty(&w.nothing_to_retry, &w.nothing_to_retry_hint),
        TimedSet::Dead => empty(&w.nothing_died, &w.nothing_died_hint),
    }
}

pub(crate) fn selection(kind: Kind, asked: &Asked) -> Markup {
    let w = asked.words;
    html! {
        div.selection {
            span.chosen aria-live="polite" { (w.selected_jobs) }
            @for deed in kind.deeds() {
                (button(asked, deed.action, deed.name, kind.word(w, deed), deed.destroys.then_some(match deed.name { "kill" => &w.ask_kill_selected, _ => &w.ask_delete_selected })))
            }
        }
    }
}

pub(crate) fn table(kind: Kind, asked: &Asked, entries: &[SortedEntry]) -> Markup {
    let w = asked.words;
    let fails = kind.set != TimedSet::Schedule;
    html! {
        table.rows {
            caption.hidden { (kind.title(w)) }
            thead { tr {
                th.check scope="col" { input.every type="checkbox" aria-label=(w.select_all) hidden; }
                th scope="col" { (kind.when(w)) }
                @if kind.set == TimedSet::Retry { th.num scope="col" { (w.tries) } }
                th scope="col" { (w.job) }
                th scope="col" { (w.queue) }
                @if fails { th scope="col" { (w.error) } }
            } }
            tbody {
                @for entry in entries {
                    tr {
                        td.check { input type="checkbox" name="id" value=(key(entry)) aria-label=(w.select_one.text(&[("class", &cut(&entry.display_class(), 60))])); }
                        td.when data-of=(kind.when(w)) { (w.time(entry.at(), asked.now)) }
                        @if kind.set == TimedSet::Retry { td.num data-of=(w.tries) { (entry.retry_count().unwrap_or(0).saturating_add(1)) } }
                        (job_cell(asked, entry, &link(asked, entry)))
                        td { (queue_link(asked, entry.queue())) }
                        @if fails { td.error {
                            @if let Some(class) = entry.error_class() { strong { (cut(&class, 80)) } " " }
                            @if let Some(message) = entry.error_message() { span { (cut(&message, 200)) } }
                            @else if let Some(problem) = entry.problem() { span { (cut(&problem, 200)) } }
                        } }
                    }
                }
            }
        }
    }
}

/// What can be done to all of them.
fn all(kind: Kind, asked: &Asked, text: &str, size: u64) -> Markup {
    let w = asked.words;
    let which = which(w, text, size);
    html! {
        form.all method="post" action=(asked.to(kind.path)) {
            input type="hidden" name="all" value="yes";
            input type="hidden" name="q" value=(text);
            span { (w.with_these.with(&[("which", &which)])) }
            @for deed in kind.deeds() {
                (button(asked, deed.action, deed.name, kind.word(w, deed), Some(&question(w, kind, deed, &which))))
            }
        }
    }
}

/// All of so many jobs, or all that contain a text.
fn which(w: &'static Words, text: &str, size: u64) -> String {
    if text.is_empty() {
        w.all_jobs.of(w, size)
    } else {
        w.all_containing.text(&[("text", &cut(text, 60))])
    }
}

/// Asks whether it is meant for these.
fn question(w: &'static Words, kind: Kind, deed: Deed, which: &str) -> String {
    let deed = kind.word(w, deed);
    w.ask_deed
        .text(&[("deed", deed), ("which", which), ("set", kind.title(w))])
}

/// Names an entry: `score|jid`, as in Sidekiq, and what tells it from one with the same.
pub(crate) fn key(entry: &SortedEntry) -> String {
    format!("{}|{}", entry.id(), print_of(entry.payload()))
}

/// The page of an entry.
pub(crate) fn link(asked: &Asked, entry: &SortedEntry) -> String {
    let print = if entry.jid().as_str().is_empty() {
        print_of(entry.payload())
    } else {
        String::new()
    };
    let values = [
        ("in", entry.set().name()),
        ("id", &entry.id()),
        ("print", &print),
    ];
    format!("{}{}", asked.to("job"), query(&values))
}

/// The entry of this id, and of these bytes where it says which.
pub(crate) async fn find(
    set: &JobSet,
    id: &str,
    print: &str,
) -> Result<Option<SortedEntry>, Problem> {
    let named = id.split_once('|').or_else(|| id.split_once('-'));
    let parsed = named.and_then(|(score, jid)| {
        let score: f64 = score.parse().ok()?;
        score
            .is_finite()
            .then(|| (Timestamp::from_score(score), jid))
    });
    let Some((at, jid)) = parsed else {
        let id = cut(id, 80);
        return Err(Problem::said(StatusCode::NOT_FOUND, move |w| {
            w.no_such_job.text(&[("id", &id)])
        }));
    };
    let found = in_time(set.fetch(at, Some(jid))).await?;
    Ok(found
        .into_iter()
        .find(|entry| print.is_empty() || print_of(entry.payload()) == print))
}

async fn act(kind: Kind, asked: &Asked, posted: &Params) -> Result<Response, Problem> {
    let w = asked.words;
    let did = posted.get("do");
    if did == "reschedule" {
        return reschedule(kind, asked, posted).await;
    }
    let deed = kind.deeds().find(|deed| deed.name == did).ok_or_else(|| {
        Problem::invalid("Nothing was done: this cannot be done with these jobs.")
    })?;
    asked.permit(deed.action)?;
    let everything = posted.get("all") == "yes";
    // What was found by a search is acted on here, and the way leads back to it.
    let leads_to = match posted.get("back") {
        "search" => "search",
        _ => kind.path,
    };
    let keys: Vec<&str> = posted.all("id").collect();
    if !everything && keys.is_empty() {
        return Ok(back(
            asked,
            leads_to,
            &[("did", "nothing"), ("q", posted.get("q"))],
        ));
    }
    if (deed.destroys || everything) && posted.get("sure").is_empty() {
        let which = if everything {
            let snapshot = Snapshots::get(&asked.app).await?;
            which(w, posted.get("q"), kind.size(&snapshot))
        } else {
            w.jobs.of(w, keys.len() as u64)
        };
        let question = question(w, kind, deed, &which);
        return confirm(asked, kind.path, posted, &question).await;
    }
    if everything {
        return act_on_all(kind, deed, asked, posted.get("q")).await;
    }
    let set = kind.jobs(&asked.app);
    let mut tally = Tally::default();
    asked.begin(
        deed.action,
        &format!("{} jobs of {}: {}", keys.len(), kind.path, keys.join(" ")),
    )?;
    for key in keys {
        let (id, print) = key.rsplit_once('|').unwrap_or((key, ""));
        let Some(entry) = find(&set, id, print).await? else {
            tally.add(Acted::Gone);
            continue;
        };
        tally.add(match deed.name {
            "delete" => set.delete(&entry).await?,
            "kill" => set.kill(&entry).await?,
            _ if kind.set == TimedSet::Schedule => set.add_to_queue(&entry).await?,
            _ => set.retry(&entry).await?,
        });
    }
    Ok(tally.back(asked, leads_to, deed.name, &[("q", posted.get("q"))]))
}

async fn act_on_all(
    kind: Kind,
    deed: Deed,
    asked: &Asked,
    text: &str,
) -> Result<Response, Problem> {
    let what = if text.is_empty() {
        format!("{} all of {}", deed.name, kind.path)
    } else {
        format!("{} all of {} that contain {text:?}", deed.name, kind.path)
    };
    asked.begin(deed.action, &what)?;
    let set = kind.jobs(&asked.app);
    let sweep = sweep(&set, deed.name);
    let sweep = if text.is_empty() {
        sweep
    } else {
        let text = text.to_owned();
        sweep.matching(move |entry| contains(entry.payload(), text.as_bytes()))
    };
    let text = text.to_owned();
    let told = Said::new(move |w| {
        let which = match &*text {
            "" => w.all_jobs_of_it.to_string(),
            text => w.all_containing.text(&[("text", &cut(text, 60))]),
        };
        let deed = kind.word(w, deed);
        w.sweep_what
            .text(&[("deed", deed), ("which", &which), ("set", kind.title(w))])
    });
    let task = Sweeps::start(&asked.app, what, told, kind.path, vec![sweep]).await;
    Ok(back(asked, "sweep", &[("id", &task.id.to_string())]))
}

/// The action of this name on all entries.
pub(crate) fn sweep(set: &JobSet, name: &str) -> Sweep {
    match name {
        "delete" => set.delete_all(),
        "kill" => set.kill_all(),
        _ if set.name() == TimedSet::Schedule.name() => set.add_all_to_queue(),
        _ => set.retry_all(),
    }
}

fn contains(payload: &[u8], text: &[u8]) -> bool {
    payload.windows(text.len()).any(|part| part == text)
}

async fn reschedule(kind: Kind, asked: &Asked, posted: &Params) -> Result<Response, Problem> {
    asked.permit(Action::RescheduleJobs)?;
    let key = posted.get("id");
    let minutes = posted
        .number("minutes")
        .filter(|minutes| *minutes <= 60 * 24 * 366)
        .ok_or_else(|| {
            Problem::said(StatusCode::UNPROCESSABLE_ENTITY, |w| {
                w.no_minutes.to_string()
            })
        })?;
    let set = kind.jobs(&asked.app);
    let (id, print) = key.rsplit_once('|').unwrap_or((key, ""));
    asked.begin(
        Action::RescheduleJobs,
        &format!("{id} in {} to in {minutes} min", kind.path),
    )?;
    let mut tally = Tally::default();
    match find(&set, id, print).await? {
        Some(entry) => {
            let at = asked.app.api.now().after(Duration::from_secs(minutes * 60));
            tally.add(set.reschedule(&entry, at).await?);
        }
        None => tally.add(Acted::Gone),
    }
    Ok(tally.back(asked, kind.path, "reschedule", &[]))
}
