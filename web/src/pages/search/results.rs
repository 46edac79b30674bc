//! What a search has found.

use maud::{Markup, html};
use sancho::api::search::{Hit, State};
use sancho::api::{JobRecord, SortedEntry, Work};
use sancho::store::TimedSet;

use crate::app::Asked;
use crate::format::{count, cut, duration, exact, number, rfc3339, time};
use crate::pages::set::{self, Kind};
use crate::pages::{busy, job_cell, queue, queue_link};

/// What was found, by where it stands.
pub(super) fn show(asked: &Asked, text: &str, hits: Vec<Hit>) -> Markup {
    let (mut running, mut waiting) = (Vec::new(), Vec::new());
    let mut sets = [set::RETRIES, set::DEAD, set::SCHEDULED].map(|kind| (kind, Vec::new()));
    for hit in hits {
        match hit {
            Hit::Running(work) => running.push(work),
            Hit::Queued { job, position } => waiting.push((job, position)),
            Hit::Timed(entry) => {
                if let Some((_, entries)) =
                    sets.iter_mut().find(|(kind, _)| kind.set == entry.set())
                {
                    entries.push(entry);
                }
            }
            _ => {}
        }
    }
    html! {
        @if !running.is_empty() { (running_table(asked, &running)) }
        @for (kind, entries) in &sets {
            @if !entries.is_empty() { (set_table(asked, *kind, text, entries)) }
        }
        @if !waiting.is_empty() { (waiting_table(asked, &waiting)) }
    }
}

fn running_table(asked: &Asked, running: &[Work]) -> Markup {
    html! {
        section.panel {
            (title(State::Running, running.len()))
            div.scroll { table.rows {
                caption.hidden { "Running jobs" }
                thead { tr { th scope="col" { "Job" } th scope="col" { "Queue" } th scope="col" { "Process" } th.num scope="col" { "Running for" } } }
                tbody { @for work in running {
                    tr {
                        (job_cell(asked, &work.job, &busy::link(asked, work)))
                        td { (queue_link(asked, &work.queue)) }
                        td.where { (cut(&work.process, 60)) }
                        td.num {
                            @if let Some(at) = work.run_at {
                                time datetime=(rfc3339(at)) title=(exact(at)) data-since { (duration(asked.now.since(at))) }
                            }
                        }
                    }
                } }
            } }
        }
    }
}

fn set_table(asked: &Asked, kind: Kind, text: &str, entries: &[SortedEntry]) -> Markup {
    let state = match kind.set {
        TimedSet::Schedule => State::Scheduled,
        TimedSet::Retry => State::Retry,
        TimedSet::Dead => State::Dead,
    };
    html! {
        form.found method="post" action=(asked.to(kind.path)) data-select {
            input type="hidden" name="back" value="search";
            input type="hidden" name="q" value=(text);
            (set::selection(kind, asked))
            section.panel {
                (title(state, entries.len()))
                div.scroll { (set::table(kind, asked, entries)) }
            }
        }
    }
}

fn waiting_table(asked: &Asked, waiting: &[(JobRecord, u64)]) -> Markup {
    html! {
        section.panel {
            (title(State::Queued, waiting.len()))
            div.scroll { table.rows {
                caption.hidden { "Waiting jobs" }
                thead { tr { th scope="col" { "Job" } th scope="col" { "Queue" } th.num scope="col" { "Place" } th scope="col" { "Waits since" } } }
                tbody { @for (job, position) in waiting {
                    tr {
                        (job_cell(asked, job, &queue::link(asked, job.queue(), false, *position, job)))
                        td { (queue_link(asked, job.queue())) }
                        td.num { (number(position.saturating_add(1))) }
                        td { @if let Some(at) = job.enqueued_at().or_else(|| job.created_at()) { (time(at, asked.now)) } }
                    }
                } }
            } }
        }
    }
}

fn title(state: State, n: usize) -> Markup {
    let (class, name) = match state {
        State::Running => ("badge good", "running"),
        State::Retry => ("badge warn", "retry"),
        State::Dead => ("badge bad", "dead"),
        State::Scheduled => ("badge", "scheduled"),
        State::Queued => ("badge", "waiting"),
    };
    html! {
        div.title { h2 { span class=(class) { (name) } " " (count(n as u64, "job", "jobs")) } }
    }
}
