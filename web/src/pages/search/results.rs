//! What a search has found.

use maud::{Markup, html};
use sancho::api::search::{Hit, State};
use sancho::api::{JobRecord, SortedEntry, Work};
use sancho::store::TimedSet;

use crate::app::Asked;
use crate::format::cut;
use crate::language::Words;
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
    let w = asked.words;
    html! {
        section.panel {
            (title(w, State::Running, running.len()))
            div.scroll { table.rows {
                caption.hidden { (w.running_jobs) }
                thead { tr { th scope="col" { (w.job) } th scope="col" { (w.queue) } th scope="col" { (w.process) } th.num scope="col" { (w.running_for) } } }
                tbody { @for work in running {
                    tr {
                        (job_cell(asked, &work.job, &busy::link(asked, work)))
                        td { (queue_link(asked, &work.queue)) }
                        td.where { (cut(&work.process, 60)) }
                        td.num {
                            @if let Some(at) = work.run_at { (w.since(at, asked.now)) }
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
                (title(asked.words, state, entries.len()))
                div.scroll { (set::table(kind, asked, entries)) }
            }
        }
    }
}

fn waiting_table(asked: &Asked, waiting: &[(JobRecord, u64)]) -> Markup {
    let w = asked.words;
    html! {
        section.panel {
            (title(w, State::Queued, waiting.len()))
            div.scroll { table.rows {
                caption.hidden { (w.waiting_jobs) }
                thead { tr { th scope="col" { (w.job) } th scope="col" { (w.queue) } th.num scope="col" { (w.place) } th scope="col" { (w.waits_since) } } }
                tbody { @for (job, position) in waiting {
                    tr {
                        (job_cell(asked, job, &queue::link(asked, job.queue(), false, *position, job)))
                        td { (queue_link(asked, job.queue())) }
                        td.num data-of=(w.place) { (w.number(position.saturating_add(1))) }
                        td data-of=(w.waits_since) { @if let Some(at) = job.enqueued_at().or_else(|| job.created_at()) { (w.time(at, asked.now)) } }
                    }
                } }
            } }
        }
    }
}

fn title(w: &'static Words, state: State, n: usize) -> Markup {
    let (class, name) = match state {
        State::Running => ("badge good", &w.is_running),
        State::Retry => ("badge warn", &w.is_retry),
        State::Dead => ("badge bad", &w.is_dead),
        State::Scheduled => ("badge", &w.is_scheduled),
        State::Queued => ("badge", &w.is_waiting),
    };
    html! {
        div.title { h2 { span class=(class) { (name) } " " (w.jobs.of(w, n as u64)) } }
    }
}
