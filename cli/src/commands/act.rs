//! What is done to jobs.

use chrono::{DateTime, Utc};
use sancho::api::{Acted, Sweep};
use sancho::job::Timestamp;
use serde_json::json;

use crate::Session;
use crate::args::{Chosen, Place, Required};
use crate::error::{Error, Result};
use crate::output::grouped;
use crate::select::{self, Standing};

#[derive(Clone, Copy)]
enum Deed {
    Retry,
    Kill,
    Delete,
    Reschedule(Timestamp),
}

impl Deed {
    fn done(self) -> &'static str {
        match self {
            Self::Retry => "retried",
            Self::Kill => "killed",
            Self::Delete => "deleted",
            Self::Reschedule(_) => "rescheduled",
        }
    }

    fn plan(self) -> &'static str {
        match self {
            Self::Retry => "run again now",
            Self::Kill => "go to the dead set",
            Self::Delete => "are deleted",
            Self::Reschedule(_) => "wait for another time",
        }
    }
}

pub(crate) async fn retry(session: &Session, chosen: &Chosen) -> Result<()> {
    act(session, chosen, Deed::Retry).await
}

pub(crate) async fn kill(session: &Session, chosen: &Chosen) -> Result<()> {
    act(session, chosen, Deed::Kill).await
}

pub(crate) async fn delete(session: &Session, chosen: &Chosen) -> Result<()> {
    act(session, chosen, Deed::Delete).await
}

pub(crate) async fn reschedule(session: &Session, chosen: &Chosen, when: &Required) -> Result<()> {
    let at = match (when.after, when.at) {
        (Some(after), _) => session.api.now().after(after),
        (None, Some(at)) => DateTime::<Utc>::into(at),
        (None, None) => {
            return Err(Error::usage(
                "say when: --after 15m or --at 2026-11-24T12:00:00Z",
            ));
        }
    };
    act(session, chosen, Deed::Reschedule(at)).await
}

/// Acts on the jobs that were chosen. One or more ids are done at once; a whole set is asked about first, and done in pages.
async fn act(session: &Session, chosen: &Chosen, deed: Deed) -> Result<()> {
    if chosen.all
        && let Some(place) = &chosen.place
        && let Some(set) = select::set(&session.api, place)
    {
        let size = set.size().await?;
        session.ask.before(&format!(
            "all {} jobs in {place} {}",
            grouped(size),
            deed.plan()
        ))?;
        let sweep = match deed {
            Deed::Retry => set.retry_all(),
            Deed::Kill => set.kill_all(),
            Deed::Delete => set.delete_all(),
            Deed::Reschedule(at) => set.reschedule_all(at),
        };
        return run(session, sweep, size, deed).await;
    }
    let jobs = select::jobs(&session.api, chosen).await?;
    for job in &jobs {
        check(job, deed)?;
    }
    if chosen.jids.is_empty() && !jobs.is_empty() {
        session.ask.before(&format!(
            "{} jobs {}",
            grouped(jobs.len() as u64),
            deed.plan()
        ))?;
    }
    let bar = session.out.bar(jobs.len() as u64, deed.done());
    let (mut done, mut gone) = (0_u64, 0_u64);
    for job in &jobs {
        match one(session, job, deed).await? {
            Acted::Done => done += 1,
            Acted::Gone => gone += 1,
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    report(session, deed, done, gone)
}

/// Refuses what makes no sense where a job stands, before anything is done.
fn check(standing: &Standing, deed: Deed) -> Result<()> {
    let refuse = |why: &str| {
        let (jid, place) = (standing.job().jid(), standing.place());
        Err(Error::usage(format!(
            "the job {jid} stands in {place}, {why}; nothing was done"
        )))
    };
    match (standing, deed) {
        (Standing::Running(_), _) => refuse("and is run by a process: `sancho busy` shows it"),
        (Standing::Queued(_), Deed::Retry) => refuse("so it runs anyway"),
        (Standing::Queued(_), Deed::Kill | Deed::Reschedule(_)) => {
            refuse("which has no time: only `delete` works there")
        }
        _ => Ok(()),
    }
}

async fn one(session: &Session, standing: &Standing, deed: Deed) -> Result<Acted> {
    let api = &session.api;
    Ok(match standing {
        Standing::Queued(job) => api.queue(job.queue())?.delete(job).await?,
        Standing::Timed(entry) => {
            let set = api.set(entry.set());
            match deed {
                Deed::Retry => set.retry(entry).await?,
                Deed::Kill => set.kill(entry).await?,
                Deed::Delete => set.delete(entry).await?,
                Deed::Reschedule(at) => set.reschedule(entry, at).await?,
            }
        }
        Standing::Running(_) => Acted::Gone,
    })
}

async fn run(session: &Session, mut sweep: Sweep, size: u64, deed: Deed) -> Result<()> {
    let bar = session.out.bar(size, deed.done());
    let (mut done, mut gone) = (0, 0);
    while let Some(progress) = sweep.next().await? {
        bar.set_position(progress.looked_at);
        (done, gone) = (progress.done, progress.gone);
    }
    bar.finish_and_clear();
    report(session, deed, done, gone)
}

fn report(session: &Session, deed: Deed, done: u64, gone: u64) -> Result<()> {
    let mut line = format!("{} {}", grouped(done), deed.done());
    if gone > 0 {
        line.push_str(&format!(
            ", {} were gone: somebody else was faster",
            grouped(gone)
        ));
    }
    session
        .out
        .done(&line, &json!({ "done": done, "gone": gone }))
}

pub(crate) async fn clear(session: &Session, place: &Place) -> Result<()> {
    let Session { api, out, ask, .. } = session;
    let size = match (place, select::set(api, place)) {
        (Place::Queue(name), _) => api.queue(name)?.size().await?,
        (_, Some(set)) => set.size().await?,
        (_, None) => 0,
    };
    ask.before(&format!(
        "all {} jobs in {place} are deleted",
        grouped(size)
    ))?;
    match (place, select::set(api, place)) {
        (Place::Queue(name), _) => api.queue(name)?.clear().await?,
        (_, Some(set)) => set.clear().await?,
        (_, None) => {}
    }
    let line = format!("{place} is empty: {} jobs were deleted", grouped(size));
    out.done(
        &line,
        &json!({ "place": place.to_string(), "deleted": size }),
    )
}
