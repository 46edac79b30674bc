//! All queues.

use axum::response::Response;
use maud::{Markup, html};

use crate::action::Action;
use crate::app::Asked;
use crate::format::cut;
use crate::page::{Page, Place, button, empty, head};
use crate::params::{Params, Posted};
use crate::problem::Problem;
use crate::snapshot::{Snapshot, Snapshots};

use super::dashboard::badges;
use super::{back, confirm, notice, queue_link};

pub(crate) async fn show(asked: Asked, params: Params) -> Result<Response, Problem> {
    let snapshot = Snapshots::get(&asked.app).await?;
    let page = Page {
        asked: &asked,
        snapshot: &snapshot,
        place: Place::Queues,
        title: &asked.words.queues,
        live: Some("queues"),
    };
    Ok(page.with(&html! {
        (notice(asked.words, &params))
        div data-current { (current(&asked, &snapshot)) }
    }))
}

/// What stays current.
pub(crate) fn current(asked: &Asked, snapshot: &Snapshot) -> Markup {
    let w = asked.words;
    let overview = &snapshot.overview;
    let about = html! {
        (w.queues_n.of(w, overview.queues.len() as u64)) " · " (w.jobs_wait.of(w, overview.stats.enqueued))
    };
    html! {
        (head(&w.queues, &about, &html! {}))
        section.panel {
            @if overview.queues.is_empty() {
                (empty(&w.no_queues, &w.no_queues_hint))
            } @else {
                div.scroll { table.rows {
                    caption.hidden { (w.queues) }
                    thead { tr { th scope="col" { (w.queue) } th.num scope="col" { (w.jobs_head) } th.num scope="col" { (w.latency) } th.num scope="col" { (w.workers) } th scope="col" { span.hidden { (w.actions) } } } }
                    tbody {
                        @for queue in &overview.queues {
                            @let workers = overview.processes.iter().filter(|process| process.queues.contains(&queue.name)).count();
                            tr {
                                td.job { span.class { (queue_link(asked, &queue.name)) } " " (badges(w, queue, &overview.processes)) }
                                td.num data-of=(w.jobs_head) { (w.number(queue.size)) }
                                td.num data-of=(w.latency) { @if queue.size > 0 { (w.duration(queue.latency)) } @else { "–" } }
                                td.num data-of=(w.workers) { (workers) }
                                td.act { (tools(asked, &queue.name, queue.paused, queue.size)) }
                            }
                        }
                    }
                } }
            }
        }
    }
}

/// What can be done with a queue.
pub(crate) fn tools(asked: &Asked, name: &str, paused: bool, size: u64) -> Markup {
    let w = asked.words;
    html! {
        form method="post" action=(asked.to("queues")) {
            input type="hidden" name="name" value=(name);
            @if paused { (button(asked, Action::PauseQueue, "resume", &w.resume, None)) }
            @else { (button(asked, Action::PauseQueue, "pause", &w.pause, None)) }
            @if size > 0 {
                (button(asked, Action::ClearQueue, "clear", &w.clear, Some(&w.ask_clear.text(w, size, &[("name", name)]))))
            }
        }
    }
}

pub(crate) async fn act(asked: Asked, Posted(posted): Posted) -> Result<Response, Problem> {
    let (name, did) = (posted.get("name"), posted.get("do"));
    let queue = asked.app.api.queue(name)?;
    match did {
        "pause" | "resume" => {
            asked.begin(Action::PauseQueue, &format!("{did} {name}"))?;
            if did == "pause" {
                queue.pause().await?;
            } else {
                queue.unpause().await?;
            }
        }
        "clear" => {
            asked.permit(Action::ClearQueue)?;
            if posted.get("sure").is_empty() {
                let size = queue.size().await?;
                let w = asked.words;
                let question = w.ask_clear.text(w, size, &[("name", &cut(name, 100))]);
                return confirm(&asked, "queues", &posted, &question).await;
            }
            asked.begin(Action::ClearQueue, name)?;
            queue.clear().await?;
        }
        _ => {
            return Err(Problem::invalid(
                "Nothing was done: a queue can be told pause, resume or clear.",
            ));
        }
    }
    Ok(back(&asked, "queues", &[("did", did)]))
}
