//! The cron as JSON.

use axum::response::Json;
use sancho::job::JobId;
use serde_json::json;

use super::{Answer, values};
use crate::app::Asked;
use crate::pages::cron::Deed;
use crate::params::{Params, Posted};
use crate::problem::Problem;
use crate::snapshot::in_time;

pub(super) async fn show(asked: Asked, params: Params) -> Answer {
    let (cron, name) = (asked.app.api.cron(), params.get("name"));
    let entries = if name.is_empty() {
        in_time(cron.list()).await?
    } else {
        let entry = in_time(cron.get(name)).await?;
        let missing = || Problem::not_found(format!("There is no entry {name:?} of the cron."));
        vec![entry.ok_or_else(missing)?]
    };
    let entries = entries.iter().map(|entry| values::cron(&asked, entry));
    Ok(Json(json!({ "entries": entries.collect::<Vec<_>>() })))
}

pub(super) async fn act(asked: Asked, Posted(posted): Posted) -> Answer {
    let deed = Deed::named(posted.get("do"))?;
    let jid = deed.act(&asked, posted.get("name")).await?;
    asked.app.snapshots.forget();
    let jid = jid.as_ref().map(JobId::as_str);
    Ok(Json(json!({ "done": true, "jid": jid })))
}
