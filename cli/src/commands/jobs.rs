//! Listing, showing and looking for jobs.

use sancho::api::JobRecord;
use sancho::api::search::Query;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::Session;
use crate::args::Place;
use crate::error::{Error, Result};
use crate::output::{Cell, Look, human, moment, one_line};
use crate::select::{self, Standing};

/// A job, for programs.
#[derive(Serialize)]
pub(crate) struct Shown {
    jid: String,
    class: String,
    display_class: String,
    place: String,
    queue: String,
    /// As they stand in the payload, where they are JSON.
    args: Option<Box<RawValue>>,
    tags: Vec<String>,
    at: Option<String>,
    created_at: Option<String>,
    enqueued_at: Option<String>,
    failed_at: Option<String>,
    retried_at: Option<String>,
    retry_count: Option<i64>,
    error_class: Option<String>,
    error_message: Option<String>,
    payload: String,
}

impl Shown {
    pub(crate) fn new(job: &JobRecord, place: &str, at: Option<String>) -> Self {
        let raw = |args: &str| RawValue::from_string(args.to_owned()).ok();
        Self {
            jid: job.jid().to_string(),
            class: job.class().to_owned(),
            display_class: job.display_class(),
            place: place.to_owned(),
            queue: job.queue().to_owned(),
            args: job.args().and_then(raw),
            tags: job.tags(),
            at,
            created_at: job.created_at().map(moment),
            enqueued_at: job.enqueued_at().map(moment),
            failed_at: job.failed_at().map(moment),
            retried_at: job.retried_at().map(moment),
            retry_count: job.retry_count(),
            error_class: job.error_class(),
            error_message: job.error_message(),
            payload: job.text().into_owned(),
        }
    }

    fn of(standing: &Standing) -> Self {
        let at = match standing {
            Standing::Timed(entry) => Some(moment(entry.at())),
            _ => None,
        };
        Self::new(standing.job(), &standing.place(), at)
    }
}

pub(crate) async fn list(session: &Session, place: &Place, limit: u64) -> Result<()> {
    let jobs = select::list(&session.api, place, limit).await?;
    print(session, &jobs, &format!("no jobs in {place}"))
}

pub(crate) async fn search(session: &Session, query: &[String], limit: u64) -> Result<()> {
    let query: Query = query.join(" ").parse()?;
    let jobs = select::search(&session.api, &query, limit).await?;
    print(session, &jobs, "nothing was found")
}

fn print(session: &Session, jobs: &[Standing], empty: &str) -> Result<()> {
    let Session { api, out, .. } = session;
    if out.json {
        return out.json(&jobs.iter().map(Shown::of).collect::<Vec<_>>());
    }
    let now = api.now();
    let row = |standing: &Standing| {
        let job = standing.job();
        let when = match standing {
            Standing::Timed(entry) if entry.at() > now => {
                format!("in {}", human(entry.at().since(now)))
            }
            Standing::Timed(entry) => {
                format!("{} ago", human(now.since(entry.at())))
            }
            _ => job
                .latency(now)
                .map_or_else(String::new, |time| format!("{} ago", human(time))),
        };
        let error = match (job.error_class(), job.error_message()) {
            (Some(class), Some(message)) => format!("{class}: {message}"),
            (class, message) => class.or(message).unwrap_or_default(),
        };
        vec![
            Cell::name(job.jid().as_str()),
            Cell::name(standing.place()),
            Cell::text(when),
            Cell::text(job.display_class()),
            Cell::text(job.display_args().join(", ")),
            Cell::text(error).looking(Look::Bad),
        ]
    };
    let head = ["jid", "place", "when", "job", "arguments", "error"];
    out.table(&head, &jobs.iter().map(row).collect::<Vec<_>>(), empty)
}

pub(crate) async fn show(session: &Session, jid: &str) -> Result<()> {
    let Session { api, out, .. } = session;
    let Some(standing) = select::find(api, jid, None).await? else {
        return Err(Error::failed(format!(
            "no job with the id {jid} waits or runs: it is done, or it never was"
        )));
    };
    if out.json {
        return out.json(&Shown::of(&standing));
    }
    let job = standing.job();
    let line = |name: &str, value: &str| {
        let name = out.paint(&format!("{name:<14}"), Look::Faint);
        out.say(&format!("{name}{}", one_line(value, usize::MAX)))
    };
    line("jid", job.jid().as_str())?;
    line("class", job.class())?;
    line("place", &standing.place())?;
    if let Standing::Timed(entry) = &standing {
        line("at", &moment(entry.at()))?;
    }
    if let Standing::Running(work) = &standing {
        line("process", &work.process)?;
    }
    for (name, value) in job
        .fields()
        .filter(|(name, _)| !["class", "jid", "error_backtrace"].contains(name))
    {
        line(name, value)?;
    }
    for text in job.error_backtrace().unwrap_or_default() {
        line("", &text)?;
    }
    match job.problem() {
        Some(problem) => line("no job", &problem),
        None => Ok(()),
    }
}
