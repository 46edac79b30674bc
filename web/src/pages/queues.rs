//! All queues.

use axum::response::Response;
use maud::{Markup, html};

use crate::action::Action;
use crate::app::Asked;
use crate::format::{count, duration, number};
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
        title: "Queues",
        live: Some("queues"),
    };
    Ok(page.with(&html! {
        (notice(&params))
        div data-current { (current(&asked, &snapshot)) }
    }))
}

/// What stays current.
pub(crate) fn current(asked: &Asked, snapshot: &Snapshot) -> Markup {
    let overview = &snapshot.overview;
    let about = html! {
        (count(overview.queues.len() as u64, "queue", "queues")) " · " (count(overview.stats.enqueued, "job waits", "jobs wait"))
    };
    html! {
        (head("Queues", &about, &html! {}))
        section.panel {
            @if overview.queues.is_empty() {
                (empty("No queues yet", "A queue appears here with the first job that is pushed to it."))
            } @else {
                div.scroll { table.rows {
                    caption.hidden { "Queues" }
                    thead { tr { th scope="col" { "Queue" } th.num scope="col" { "Jobs" } th.num scope="col" { "Latency" } th.num scope="col" { "Workers" } th scope="col" { span.hidden { "Actions" } } } }
                    tbody {
                        @for queue in &overview.queues {
                            @let workers = overview.processes.iter().filter(|process| process.queues.contains(&queue.name)).count();
                            tr {
                                td.job { span.class { (queue_link(asked, &queue.name)) } " " (badges(queue, &overview.processes)) }
                                td.num { (number(queue.size)) }
                                td.num { @if queue.size > 0 { (duration(queue.latency)) } @else { "–" } }
                                td.num { (workers) }
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
    html! {
        form method="post" action=(asked.to("queues")) {
            input type="hidden" name="name" value=(name);
            @if paused { (button(asked, Action::PauseQueue, "resume", "Resume", None)) }
            @else { (button(asked, Action::PauseQueue, "pause", "Pause", None)) }
            @if size > 0 {
                (button(asked, Action::ClearQueue, "clear", "Clear", Some(&format!("Delete all {} of this queue?", count(size, "job", "jobs")))))
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
                let question = format!(
                    "Delete all {} of the queue {name}?",
                    count(size, "job", "jobs")
                );
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
