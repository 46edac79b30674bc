//! Finding a job by its id.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use maud::html;
use sancho::store::{Order, TimedSet};

use crate::app::Asked;
use crate::format::cut;
use crate::links::query;
use crate::page::{Page, Place, head};
use crate::params::Params;
use crate::problem::Problem;
use crate::snapshot::{Snapshots, in_time};

use super::{busy, queue, set};

/// How long it looks.
const BUDGET: Duration = Duration::from_millis(110);

/// How many jobs it reads in a round trip.
const PART: usize = 500;

/// Looks where jobs run, then in the sets, then in the queues, as long as there is time, and goes on when asked: `place` counts the
/// places that were looked through, `from` is the cursor in the next one.
pub(crate) async fn show(asked: Asked, params: Params) -> Result<Response, Problem> {
    let w = asked.words;
    let jid = params.get("jid").trim();
    if jid.is_empty() {
        return Err(Problem::said(StatusCode::UNPROCESSABLE_ENTITY, |w| {
            w.name_the_job.to_string()
        }));
    }
    let api = &asked.app.api;
    let began = Instant::now();
    let snapshot = Snapshots::get(&asked.app).await?;
    let first = params.number("place").unwrap_or(0);
    if first == 0 {
        let work = in_time(api.find_work(jid)).await?;
        if let Some(work) = work {
            return Ok(found(busy::link(&asked, &work)));
        }
    }
    // An id stands in a payload as it is, unless JSON has to escape it.
    let text = serde_json::Value::from(jid).to_string();
    let queues = &snapshot.overview.queues;
    let places = TimedSet::ALL.len() as u64 + queues.len() as u64;
    let (mut place, mut from) = (first, params.number("from").unwrap_or(0));
    let mut looked_at = params.number("seen").unwrap_or(0);
    while place < places && began.elapsed() < BUDGET {
        let index = usize::try_from(place).unwrap_or(usize::MAX);
        let next = if let Some(set) = TimedSet::ALL.get(index) {
            let part = in_time(api.set(*set).scan(&text, from, PART)).await?;
            looked_at = looked_at.saturating_add(part.looked_at);
            let entry = part
                .entries
                .iter()
                .find(|entry| entry.jid().as_str() == jid);
            if let Some(entry) = entry {
                return Ok(found(set::link(&asked, entry)));
            }
            part.next
        } else {
            let name = &queues[index - TimedSet::ALL.len()].name;
            let page = in_time(api.queue(name)?.page(Order::Forward, from, PART)).await?;
            looked_at = looked_at.saturating_add(page.jobs.len() as u64);
            let job = page
                .jobs
                .iter()
                .zip(from..)
                .find(|(job, _)| job.jid().as_str() == jid);
            if let Some((job, at)) = job {
                return Ok(found(queue::link(&asked, name, false, at, job)));
            }
            page.next
        };
        match next {
            Some(next) => from = next,
            None => (place, from) = (place + 1, 0),
        }
    }
    let page = Page {
        asked: &asked,
        snapshot: &snapshot,
        place: Place::None,
        title: &w.find_job,
        live: None,
    };
    let stats = &snapshot.overview.stats;
    let total = stats.scheduled + stats.retries + stats.dead + stats.enqueued;
    let go_on = [
        ("jid", jid),
        ("place", &place.to_string()),
        ("from", &from.to_string()),
        ("seen", &looked_at.to_string()),
    ];
    Ok(page.with(&html! {
        (head(&w.find_job, &html! { code { (cut(jid, 100)) } }, &html! {}))
        section.panel {
            div.empty {
                @if place < places {
                    p { (w.not_found_yet) }
                    p { (w.find_looked_at.with(&[("n", &w.number(looked_at.min(total))), ("total", &w.number(total))])) " " a href={ (asked.to("find")) (query(&go_on)) } { (w.look_at_more) } }
                } @else {
                    p { (w.nobody_has_id) }
                    p { (w.nobody_has_id_hint.with(&[("n", &w.number(looked_at.min(total)))])) }
                }
            }
        }
    }))
}

fn found(link: String) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, link)]).into_response()
}
