//! What is done to entries: to those that were chosen, or to all of a set.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use sancho::api::{Acted, JobSet, Sweep};
use sancho::store::TimedSet;

use super::rows::{question, which};
use super::{Deed, Kind, find};
use crate::action::Action;
use crate::app::Asked;
use crate::format::cut;
use crate::pages::{Tally, back, confirm, masked};
use crate::params::Params;
use crate::problem::{Problem, Said};
use crate::snapshot::Snapshots;
use crate::sweeps::Sweeps;

pub(super) async fn act(kind: Kind, asked: &Asked, posted: &Params) -> Result<Response, Problem> {
    let w = asked.words;
    let did = posted.get("do");
    if did == "reschedule" {
        return reschedule(kind, asked, posted).await;
    }
    let deed = kind.deeds().find(|deed| deed.name == did).ok_or_else(|| {
        Problem::invalid("Nothing was done: this cannot be done with these jobs.")
    })?;
    asked.permit(deed.action)?;
    let everything = posted.get("all") == "yes";
    // What was found by a search is acted on here, and the way leads back to it.
    let leads_to = match posted.get("back") {
        "search" => "search",
        _ => kind.path,
    };
    let keys: Vec<&str> = posted.all("id").collect();
    if !everything && keys.is_empty() {
        return Ok(back(
            asked,
            leads_to,
            &[("did", "nothing"), ("q", posted.get("q"))],
        ));
    }
    if (deed.destroys || everything) && posted.get("sure").is_empty() {
        let which = if everything {
            let snapshot = Snapshots::get(&asked.app).await?;
            which(w, posted.get("q"), kind.size(&snapshot))
        } else {
            w.jobs.of(w, keys.len() as u64)
        };
        let question = question(w, kind, deed, &which);
        return confirm(asked, kind.path, posted, &question).await;
    }
    if everything {
        return act_on_all(kind, deed, asked, posted.get("q")).await;
    }
    let set = kind.jobs(&asked.app);
    let mut tally = Tally::default();
    asked.begin(
        deed.action,
        &format!("{} jobs of {}: {}", keys.len(), kind.path, keys.join(" ")),
    )?;
    for key in keys {
        let (id, print) = key.rsplit_once('|').unwrap_or((key, ""));
        let Some(entry) = find(&set, id, print).await? else {
            tally.add(Acted::Gone);
            continue;
        };
        tally.add(match deed.name {
            "delete" => set.delete(&entry).await?,
            "kill" => set.kill(&entry).await?,
            _ if kind.set == TimedSet::Schedule => set.add_to_queue(&entry).await?,
            _ => set.retry(&entry).await?,
        });
    }
    Ok(tally.back(asked, leads_to, deed.name, &[("q", posted.get("q"))]))
}

async fn act_on_all(
    kind: Kind,
    deed: Deed,
    asked: &Asked,
    text: &str,
) -> Result<Response, Problem> {
    let what = if text.is_empty() {
        format!("{} all of {}", deed.name, kind.path)
    } else {
        format!("{} all of {} that contain {text:?}", deed.name, kind.path)
    };
    asked.begin(deed.action, &what)?;
    let set = kind.jobs(&asked.app);
    let sweep = sweep(&set, deed.name);
    let sweep = if text.is_empty() {
        sweep
    } else {
        let (app, text) = (asked.app.clone(), text.to_owned());
        sweep.matching(move |entry| masked::contains(&app, entry, &text))
    };
    let text = text.to_owned();
    let told = Said::new(move |w| {
        let which = match &*text {
            "" => w.all_jobs_of_it.to_string(),
            text => w.all_containing.text(&[("text", &cut(text, 60))]),
        };
        let deed = kind.word(w, deed);
        w.sweep_what
            .text(&[("deed", deed), ("which", &which), ("set", kind.title(w))])
    });
    let task = Sweeps::start(&asked.app, what, told, kind.path, vec![sweep]).await?;
    Ok(back(asked, "sweep", &[("id", &task.id.to_string())]))
}

/// The action of this name on all entries.
pub(crate) fn sweep(set: &JobSet, name: &str) -> Sweep {
    match name {
        "delete" => set.delete_all(),
        "kill" => set.kill_all(),
        _ if set.name() == TimedSet::Schedule.name() => set.add_all_to_queue(),
        _ => set.retry_all(),
    }
}

async fn reschedule(kind: Kind, asked: &Asked, posted: &Params) -> Result<Response, Problem> {
    asked.permit(Action::RescheduleJobs)?;
    let key = posted.get("id");
    let minutes = posted
        .number("minutes")
        .filter(|minutes| *minutes <= 60 * 24 * 366)
        .ok_or_else(|| {
            Problem::said(StatusCode::UNPROCESSABLE_ENTITY, |w| {
                w.no_minutes.to_string()
            })
        })?;
    let set = kind.jobs(&asked.app);
    let (id, print) = key.rsplit_once('|').unwrap_or((key, ""));
    asked.begin(
        Action::RescheduleJobs,
        &format!("{id} in {} to in {minutes} min", kind.path),
    )?;
    let mut tally = Tally::default();
    match find(&set, id, print).await? {
        Some(entry) => {
            let at = asked.app.api.now().after(Duration::from_secs(minutes * 60));
            tally.add(set.reschedule(&entry, at).await?);
        }
        None => tally.add(Acted::Gone),
    }
    Ok(tally.back(asked, kind.path, "reschedule", &[]))
}
