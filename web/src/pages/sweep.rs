//! How far an action on many jobs is.

use axum::http::header::{HeaderName, HeaderValue};
use axum::response::Response;
use maud::html;

use crate::app::Asked;
use crate::chart;
use crate::format::{number, time};
use crate::page::{Page, Place, head};
use crate::params::Params;
use crate::problem::Problem;
use crate::snapshot::Snapshots;

pub(crate) async fn show(asked: Asked, params: Params) -> Result<Response, Problem> {
    let task = params
        .number("id")
        .and_then(|id| asked.app.sweeps.get(id))
        .ok_or_else(|| {
            Problem::not_found("This dashboard knows of no such action: it ended long ago, or was asked of another process.")
        })?;
    let state = task.state();
    let snapshot = Snapshots::get(&asked.app).await?;
    let page = Page {
        asked: &asked,
        snapshot: &snapshot,
        place: Place::None,
        title: if state.ended { "Done" } else { "Under way" },
        live: None,
    };
    let progress = &state.progress;
    let mut response = page.with(&html! {
        (head(page.title, &html! { (task.what) ", asked for " (time(task.began, asked.now)) }, &html! {}))
        @if let Some(error) = &state.error { p.notice.bad role="alert" { "It stopped before its end: " (error) } }
        section.panel {
            (chart::share(progress.looked_at, progress.total, "How much was looked at"))
            dl.facts {
                dt { "Looked at" } dd { (number(progress.looked_at)) " of " (number(progress.total)) }
                dt { "Done" } dd { (number(progress.done)) }
                dt { "Gone before" } dd { (number(progress.gone)) }
                dt { "Left" } dd { (number(progress.left)) }
            }
            p { a href=(asked.to(task.from)) { "Back to " (task.from) } }
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
