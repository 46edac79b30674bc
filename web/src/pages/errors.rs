//! What fails, in groups: by class, class of error, and message without what differs from job to job.

mod group;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use axum::response::Response;
use maud::{Markup, html};
use sancho::api::{SortedEntry, Sweep};
use sancho::job::Timestamp;
use sancho::store::Order;

use crate::action::Action;
use crate::app::{App, Asked};
use crate::format::cut;
use crate::links::query;
use crate::page::{Page, Place, button, empty, head};
use crate::params::{Params, Posted};
use crate::problem::{Problem, Said};
use crate::snapshot::{Snapshots, in_time};
use crate::sweeps::Sweeps;

use super::set::{self, DEAD, Kind, RETRIES};
use super::{back, confirm, notice};
pub(crate) use group::Group;

/// How long a page looks through the sets.
const BUDGET: Duration = Duration::from_millis(100);

/// How many entries are read in one round trip.
const PART: usize = 500;

/// How many entries of a set are looked at, unless more are asked for.
const DEPTH: u64 = 5_000;

/// How many groups are shown.
const MOST: usize = 100;

/// The failures of a group.
pub(crate) struct Failures {
    pub(crate) group: Group,
    pub(crate) retrying: u64,
    pub(crate) dead: u64,
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
    pub(crate) example: SortedEntry,
}

/// What was looked at.
pub(crate) struct Gathered {
    pub(crate) groups: Vec<Failures>,
    pub(crate) looked_at: u64,
    pub(crate) total: u64,
}

pub(crate) async fn show(asked: Asked, params: Params) -> Result<Response, Problem> {
    let w = asked.words;
    let depth = params
        .number("depth")
        .unwrap_or(DEPTH)
        .clamp(PART as u64, 1_000_000);
    let snapshot = Snapshots::get(&asked.app).await?;
    let total = snapshot.overview.stats.retries + snapshot.overview.stats.dead;
    let gathered = gather(&asked.app, depth, total).await?;
    let page = Page {
        asked: &asked,
        snapshot: &snapshot,
        place: Place::Errors,
        title: &w.errors,
        live: None,
    };
    let about = html! {
        (w.kinds.of(w, gathered.groups.len() as u64))
        @if gathered.looked_at < total {
            " · " (w.latest_looked_at.with(&[("n", &w.number(gathered.looked_at)), ("total", &w.number(total))])) " · "
            a href={ (asked.to("errors")) (query(&[("depth", &depth.saturating_mul(4).to_string())])) } { (w.look_at_more) }
        }
    };
    Ok(page.with(&html! {
        (notice(w, &params))
        (head(&w.errors, &about, &html! {}))
        section.panel {
            @if gathered.groups.is_empty() {
                (empty(&w.nothing_fails, &w.nothing_fails_hint))
            } @else {
                div.scroll { (table(&asked, &gathered)) }
            }
        }
        @if gathered.groups.len() > MOST { p.looked { (w.most_frequent.with(&[("n", &MOST), ("total", &w.number(gathered.groups.len() as u64))])) } }
    }))
}

fn table(asked: &Asked, gathered: &Gathered) -> Markup {
    let w = asked.words;
    html! {
        table.rows {
            caption.hidden { (w.kinds_caption) }
            thead { tr {
                th.num scope="col" { (w.jobs_head) } th scope="col" { (w.failure) } th.num scope="col" { (w.retrying) } th.num scope="col" { (w.dead) }
                th scope="col" { (w.first) } th scope="col" { (w.last) } th scope="col" { span.hidden { (w.actions) } }
            } }
            tbody {
                @for failures in gathered.groups.iter().take(MOST) {
                    tr {
                        td.num data-of=(w.jobs_head) { strong { (w.number(failures.retrying + failures.dead)) } }
                        td.job.failed {
                            a.class href=(set::link(asked, &failures.example)) { (cut(failures.group.error(w), 120)) }
                            @if !failures.group.class.is_empty() { " " span.muted { (w.in_class.with(&[("class", &cut(&failures.group.class, 120))])) } }
                            span.args { (failures.group.message(w)) }
                        }
                        td.num data-of=(w.retrying) { (w.number(failures.retrying)) }
                        td.num data-of=(w.dead) { (w.number(failures.dead)) }
                        td data-of=[failures.first.map(|_| &*w.first)] { @if let Some(at) = failures.first { (w.time(at, asked.now)) } }
                        td data-of=[failures.last.map(|_| &*w.last)] { @if let Some(at) = failures.last { (w.time(at, asked.now)) } }
                        td.act {
                            form method="post" action=(asked.to("errors")) {
                                input type="hidden" name="group" value=(failures.group.id());
                                (button(asked, Action::RetryJobs, "retry", &w.retry, Some(&w.ask_retry_kind)))
                                (button(asked, Action::DeleteJobs, "delete", &w.discard, Some(&w.ask_delete_kind)))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Looks at the latest entries of both sets, as long as there is time.
pub(crate) async fn gather(app: &App, depth: u64, total: u64) -> Result<Gathered, Problem> {
    let began = Instant::now();
    let mut groups: HashMap<Group, Failures> = HashMap::new();
    let mut looked_at = 0;
    let mut cursors = [(RETRIES, Some(0)), (DEAD, Some(0))];
    // Part by part in turns, so that neither set takes the time of the other.
    while began.elapsed() < BUDGET && cursors.iter().any(|(_, next)| next.is_some()) {
        for (kind, cursor) in &mut cursors {
            let Some(from) = *cursor else { continue };
            let page = in_time(kind.jobs(app).page(Order::Backward, from, PART)).await?;
            looked_at += page.entries.len() as u64;
            for entry in page.entries {
                add(app, &mut groups, *kind, entry);
            }
            *cursor = page.next.filter(|next| *next < depth);
        }
    }
    let mut groups: Vec<Failures> = groups.into_values().collect();
    groups.sort_by_key(|failures| {
        (
            std::cmp::Reverse((failures.retrying + failures.dead, failures.last)),
            failures.group.id(),
        )
    });
    Ok(Gathered {
        groups,
        looked_at,
        total: total.max(looked_at),
    })
}

fn add(app: &App, groups: &mut HashMap<Group, Failures>, kind: Kind, entry: SortedEntry) {
    let group = Group::of(app, &entry);
    let first = entry.failed_at();
    let last = entry.retried_at().or(first);
    let is_dead = u64::from(kind.path == DEAD.path);
    match groups.get_mut(&group) {
        Some(failures) => {
            failures.dead += is_dead;
            failures.retrying += 1 - is_dead;
            failures.first = [failures.first, first].into_iter().flatten().min();
            failures.last = failures.last.max(last);
        }
        None => {
            let failures = Failures {
                group: group.clone(),
                retrying: 1 - is_dead,
                dead: is_dead,
                first,
                last,
                example: entry,
            };
            groups.insert(group, failures);
        }
    }
}

pub(crate) async fn act(asked: Asked, Posted(posted): Posted) -> Result<Response, Problem> {
    let w = asked.words;
    let (did, id) = (posted.get("do"), posted.get("group"));
    let (action, question) = match did {
        "retry" => (Action::RetryJobs, &w.ask_retry_kind),
        "delete" => (Action::DeleteJobs, &w.ask_delete_kind),
        _ => {
            return Err(Problem::invalid(
                "Nothing was done: a kind of failures can be told retry or delete.",
            ));
        }
    };
    asked.permit(action)?;
    if id.is_empty() {
        return Err(Problem::invalid(
            "Nothing was done: no kind of failures was named.",
        ));
    }
    if posted.get("sure").is_empty() {
        return confirm(&asked, "errors", &posted, question).await;
    }
    let what = format!("{did} all failures of the kind {id}");
    asked.begin(action, &what)?;
    let told = told(did == "retry");
    let sweeps = sweeps(&asked.app, did, id);
    let task = Sweeps::start(&asked.app, what, told, "errors", sweeps).await?;
    Ok(back(&asked, "sweep", &[("id", &task.id.to_string())]))
}

/// What is done to all failures of a group.
pub(crate) fn told(retries: bool) -> Said {
    Said::new(move |w| {
        let deed = if retries { &w.retry } else { &w.discard };
        let which = &w.all_of_kind;
        w.sweep_what
            .text(&[("deed", deed), ("which", which), ("set", &w.errors)])
    })
}

/// The action of this name on all failures of a group.
pub(crate) fn sweeps(app: &App, name: &str, id: &str) -> Vec<Sweep> {
    let sweep = |kind: Kind| {
        let (app, id) = (app.clone(), id.to_owned());
        let jobs = kind.jobs(&app);
        set::sweep(&jobs, name).matching(move |entry| Group::of(&app, entry).id() == id)
    };
    [RETRIES, DEAD].map(sweep).into()
}
