//! How far an action on many jobs is.

use axum::http::StatusCode;
use axum::http::header::{HeaderName, HeaderValue};
use axum::response::Response;
use maud::html;

use crate::app::Asked;
use crate::chart;
use crate::page::{Page, Place, head};
use crate::params::Params;
use crate::problem::Problem;
use crate::snapshot::Snapshots;

use super::set::Kind;

pub(crate) async fn show(asked: Asked, params: Params) -> Result<Response, Problem> {
    let w = asked.words;
    let task = params
        .number("id")
        .and_then(|id| asked.app.sweeps.get(id))
        .ok_or_else(|| Problem::said(StatusCode::NOT_FOUND, |w| w.no_sweep.to_string()))?;
    let state = task.state();
    let snapshot = Snapshots::get(&asked.app).await?;
    let page = Page {
        asked: &asked,
        snapshot: &snapshot,
        place: Place::None,
        title: if state.ended { &w.done } else { &w.under_way },
        live: None,
    };
    let progress = &state.progress;
    let from = Kind::named(task.from).map_or(&*w.errors, |kind| kind.title(w));
    let mut response = page.with(&html! {
        (head(page.title, &html! { (w.asked_for_at.with(&[("what", &task.told.in_words(w)), ("time", &w.time(task.began, asked.now))])) }, &html! {}))
        @if let Some(error) = &state.error { p.notice.bad role="alert" { (w.stopped_early.with(&[("error", error)])) } }
        section.panel {
            (chart::share(progress.looked_at, progress.total, &w.how_much))
            dl.facts {
                dt { (w.looked_at) } dd { (w.of_total.with(&[("n", &w.number(progress.looked_at)), ("total", &w.number(progress.total))])) }
                dt { (w.done) } dd { (w.number(progress.done)) }
                dt { (w.gone_before) } dd { (w.number(progress.gone)) }
                dt { (w.left) } dd { (w.number(progress.left)) }
            }
            p { a href=(asked.to(task.from)) { (w.back_to.with(&[("page", &from)])) } }
        }
    });
    if !state.ended {
        let refresh = HeaderName::from_static("refresh");
        response
            .headers_mut()
            .insert(refresh, HeaderValue::from_static("1"));
    }
    Ok(response)
}
