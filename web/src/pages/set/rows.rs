//! The entries of a set as rows, and what can be done with them.

use maud::{Markup, html};
use sancho::api::SortedEntry;
use sancho::store::TimedSet;

use super::{Deed, Kind, key, link};
use crate::app::Asked;
use crate::format::cut;
use crate::language::Words;
use crate::page::button;
use crate::pages::{job_cell, masked, queue_link};

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
                            @if let Some(message) = masked::error_message(&asked.app, entry) { span { (cut(&message, 200)) } }
                            @else if let Some(problem) = masked::problem(&asked.app, entry) { span { (cut(&problem, 200)) } }
                        } }
                    }
                }
            }
        }
    }
}

/// What can be done to all of them.
pub(super) fn all(kind: Kind, asked: &Asked, text: &str, size: u64) -> Markup {
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
pub(super) fn which(w: &'static Words, text: &str, size: u64) -> String {
    if text.is_empty() {
        w.all_jobs.of(w, size)
    } else {
        w.all_containing.text(&[("text", &cut(text, 60))])
    }
}

/// Asks whether it is meant for these.
pub(super) fn question(w: &'static Words, kind: Kind, deed: Deed, which: &str) -> String {
    let deed = kind.word(w, deed);
    w.ask_deed
        .text(&[("deed", deed), ("which", which), ("set", kind.title(w))])
}
