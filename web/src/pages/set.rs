//! The schedule, the retries and the dead set.

mod act;
mod rows;

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use sancho::api::{JobSet, SortedEntry};
use sancho::job::Timestamp;
use sancho::store::{Order, TimedSet};

use crate::action::Action;
use crate::app::{App, Asked};
use crate::format::cut;
use crate::language::Words;
use crate::links::query;
use crate::live::Table;
use crate::page::{Page, Place, empty, head};
use crate::params::{Params, Posted};
use crate::problem::Problem;
use crate::snapshot::{Snapshot, Snapshots, in_time};

use super::{Pager, masked, notice, print_of};
use act::act;
pub(crate) use act::sweep;
use rows::all;
pub(crate) use rows::{selection, table};

/// How long a page looks through a set for a text.
const BUDGET: Duration = Duration::from_millis(100);

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
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) entries: Vec<SortedEntry>,
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
    // The first rows stay current; who has gone on, or filters, is not disturbed.
    let is_live = text.is_empty() && from == 0;
    let view = is_live.then(|| Table::of_set(kind, rows).view());
    let page = Page {
        asked,
        snapshot: &snapshot,
        place: kind.place,
        title: kind.title(w),
        live: view.as_deref(),
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
        div data-current[is_live] { (current(kind, asked, (text, from, rows), &found, size)) }
    }))
}

/// The first rows of the set at this path.
pub(crate) async fn first(app: &App, path: &str, rows: usize) -> Result<Found, Problem> {
    let kind = Kind::named(path).unwrap_or(RETRIES);
    let page = in_time(kind.jobs(app).page(kind.order, 0, rows)).await?;
    Ok(Found {
        entries: page.entries,
        next: page.next,
        looked_at: None,
    })
}

/// The same as they are shown.
pub(crate) fn shown(
    path: &str,
    asked: &Asked,
    found: &Found,
    rows: usize,
    snapshot: &Snapshot,
) -> Markup {
    let kind = Kind::named(path).unwrap_or(RETRIES);
    current(kind, asked, ("", 0, rows), found, kind.size(snapshot))
}

/// What stays current.
fn current(
    kind: Kind,
    asked: &Asked,
    (text, from, rows): (&str, u64, usize),
    found: &Found,
    size: u64,
) -> Markup {
    let w = asked.words;
    html! {
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
    }
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
        let shown = part.entries.into_iter();
        found
            .entries
            .extend(shown.filter(|entry| masked::contains(&asked.app, entry, text)));
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
