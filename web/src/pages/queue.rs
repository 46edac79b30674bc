//! A queue, and the jobs in it.

use axum::response::Response;
use maud::{Markup, html};
use sancho::api::{JobPage, JobRecord, MAX_PAGE, Queue};
use sancho::store::Order;

use crate::action::Action;
use crate::app::Asked;
use crate::format::cut;
use crate::links::query;
use crate::live::Table;
use crate::page::{Page, Place, button, empty, head};
use crate::params::{Params, Posted};
use crate::problem::Problem;
use crate::snapshot::{Snapshot, Snapshots, in_time};

use super::dashboard::badges;
use super::{Pager, Tally, confirm, job_cell, notice, print_of, queues};

pub(crate) async fn show(asked: Asked, params: Params) -> Result<Response, Problem> {
    let name = params.get("name");
    let queue = asked.app.api.queue(name)?;
    let snapshot = Snapshots::get(&asked.app).await?;
    let backward = params.get("order") == "last";
    let order = if backward {
        Order::Backward
    } else {
        Order::Forward
    };
    let (from, rows) = (params.number("from").unwrap_or(0), params.rows());
    let page = in_time(queue.page(order, from, rows)).await?;
    let summary = snapshot
        .overview
        .queues
        .iter()
        .find(|queue| queue.name == name);
    let (size, paused) = summary.map_or((0, false), |queue| (queue.size, queue.paused));
    let w = asked.words;
    let title = w.queue_named.text(&[("name", &cut(name, 60))]);
    // The first rows stay current; who has gone on is not disturbed.
    let is_live = from == 0;
    let view = is_live.then(|| Table::of_queue(name, backward, rows).view());
    let frame = Page {
        asked: &asked,
        snapshot: &snapshot,
        place: Place::Queues,
        title: &title,
        live: view.as_deref(),
    };
    let about = html! {
        (w.jobs_wait.of(w, size))
        @if let Some(queue) = summary {
            @if size > 0 { " · " (w.next_waits.with(&[("time", &w.duration(queue.latency))])) }
            " " (badges(w, queue, &snapshot.overview.processes))
        }
    };
    let link = |order: &str| {
        format!(
            "{}{}",
            asked.to("queue"),
            query(&[("name", name), ("order", order)])
        )
    };
    Ok(frame.with(&html! {
        (notice(w, &params))
        (head(&title, &about, &queues::tools(&asked, name, paused, size)))
        p.tabs {
            a href=(link("")) aria-current=[(!backward).then_some("true")] { (w.runs_next) }
            a href=(link("last")) aria-current=[backward.then_some("true")] { (w.pushed_last) }
        }
        div data-current[is_live] { (current(&asked, &snapshot, name, backward, from, rows, &page)) }
    }))
}

/// What stays current.
pub(crate) fn current(
    asked: &Asked,
    snapshot: &Snapshot,
    name: &str,
    backward: bool,
    from: u64,
    rows: usize,
    page: &JobPage,
) -> Markup {
    let mut queues = snapshot.overview.queues.iter();
    let w = asked.words;
    let size = queues
        .find(|queue| queue.name == name)
        .map_or(0, |queue| queue.size);
    let pager = Pager {
        asked,
        path: "queue",
        values: &[
            ("name", name),
            ("order", if backward { "last" } else { "" }),
        ],
        from,
        shown: page.jobs.len(),
        total: size,
        rows,
        next: page.next,
    };
    html! {
        section.panel {
            @if page.jobs.is_empty() {
                @if from > 0 { (empty(&w.nothing_here, &w.shorter_queue)) }
                @else { (empty(&w.nothing_waits, &w.nothing_waits_hint)) }
            } @else {
                div.scroll { table.rows {
                    caption.hidden { (w.queue_caption.with(&[("name", &name)])) }
                    thead { tr { th.num scope="col" { "#" } th scope="col" { (w.job) } th scope="col" { (w.waits_since) } th scope="col" { span.hidden { (w.actions) } } } }
                    tbody {
                        @for (index, job) in page.jobs.iter().enumerate() {
                            (row(asked, name, backward, from + index as u64, job))
                        }
                    }
                } }
            }
        }
        (pager.show())
    }
}

fn row(asked: &Asked, name: &str, backward: bool, at: u64, job: &JobRecord) -> Markup {
    let w = asked.words;
    let print = print_of(job.payload());
    html! {
        tr {
            td.num.muted { (w.number(at + 1)) }
            (job_cell(asked, job, &link(asked, name, backward, at, job)))
            td data-of=(w.waits_since) { @if let Some(at) = job.enqueued_at().or_else(|| job.created_at()) { (w.time(at, asked.now)) } }
            td.act {
                form method="post" action=(asked.to("queue")) {
                    (named(name, backward, at, job, &print))
                    (button(asked, Action::RunNext, "next", &w.run_next, None))
                    (button(asked, Action::DeleteJobs, "delete", &w.delete, Some(&w.ask_delete_one)))
                }
            }
        }
    }
}

/// The fields of a form that name a job of a queue: where it was seen, its id, and what tells it from others.
pub(crate) fn named(name: &str, backward: bool, at: u64, job: &JobRecord, print: &str) -> Markup {
    html! {
        input type="hidden" name="name" value=(name);
        input type="hidden" name="at" value=(at);
        @if backward { input type="hidden" name="order" value="last"; }
        input type="hidden" name="jid" value=(job.jid());
        input type="hidden" name="print" value=(print);
    }
}

/// The page of a job in a queue.
pub(crate) fn link(asked: &Asked, name: &str, backward: bool, at: u64, job: &JobRecord) -> String {
    let jid = job.jid().as_str();
    // An id says which job it is; what has none is told by its bytes.
    let print = if jid.is_empty() {
        print_of(job.payload())
    } else {
        String::new()
    };
    let values = [
        ("in", "queue"),
        ("name", name),
        ("jid", jid),
        ("at", &at.to_string()),
        ("order", if backward { "last" } else { "" }),
        ("print", &print),
    ];
    format!("{}{}", asked.to("job"), query(&values))
}

/// The job of a queue that these parameters name: it is looked for around where it was seen, since queues move.
pub(crate) async fn find(
    queue: &Queue,
    params: &Params,
) -> Result<Option<(u64, JobRecord)>, Problem> {
    let at = params.number("at").unwrap_or(0);
    let backward = params.get("order") == "last";
    let order = if backward {
        Order::Backward
    } else {
        Order::Forward
    };
    let (jid, print) = (params.get("jid"), params.get("print"));
    let is = |job: &JobRecord| {
        job.jid().as_str() == jid && (print.is_empty() || print_of(job.payload()) == print)
    };
    // It mostly stands where it stood, or little before; else within a page.
    for (before, limit) in [(20_u64, 40), (MAX_PAGE as u64 / 2, MAX_PAGE)] {
        let from = at.saturating_sub(before);
        let page = in_time(queue.page(order, from, limit)).await?;
        let found = page.jobs.into_iter().zip(from..).find(|(job, _)| is(job));
        if let Some((job, at)) = found {
            return Ok(Some((at, job)));
        }
    }
    Ok(None)
}

pub(crate) async fn act(asked: Asked, Posted(posted): Posted) -> Result<Response, Problem> {
    let (name, did) = (posted.get("name"), posted.get("do"));
    let action = match did {
        "next" => Action::RunNext,
        "delete" => Action::DeleteJobs,
        _ => {
            return Err(Problem::invalid(
                "Nothing was done: a job of a queue can be told next or delete.",
            ));
        }
    };
    asked.permit(action)?;
    if did == "delete" && posted.get("sure").is_empty() {
        return confirm(&asked, "queue", &posted, &asked.words.ask_delete_one).await;
    }
    let queue = asked.app.api.queue(name)?;
    asked.begin(
        action,
        &format!("{} in the queue {name}", posted.get("jid")),
    )?;
    let mut tally = Tally::default();
    match find(&queue, &posted).await? {
        Some((_, job)) if did == "next" => tally.add(queue.run_next(&job).await?),
        Some((_, job)) => tally.add(queue.delete(&job).await?),
        None => tally.add(sancho::api::Acted::Gone),
    }
    Ok(tally.back(
        &asked,
        "queue",
        did,
        &[("name", name), ("order", posted.get("order"))],
    ))
}
