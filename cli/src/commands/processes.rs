//! Processes and what they run.

use sancho::api::{Process, Signal};
use serde::Serialize;
use serde_json::json;

use super::jobs::Shown as Job;
use crate::Session;
use crate::args::Processes;
use crate::error::{Error, Result};
use crate::output::{Cell, Look, moment, one_line};

#[derive(Serialize)]
struct Shown {
    identity: String,
    hostname: String,
    pid: u64,
    tag: String,
    labels: Vec<String>,
    queues: Vec<String>,
    concurrency: u64,
    busy: u64,
    quiet: bool,
    embedded: bool,
    started_at: Option<String>,
    beat: Option<String>,
    rss_kb: u64,
    rtt_us: u64,
    version: Option<String>,
}

impl From<Process> for Shown {
    fn from(process: Process) -> Self {
        Self {
            started_at: process.started_at.map(moment),
            beat: process.beat.map(moment),
            identity: process.identity,
            hostname: process.hostname,
            pid: process.pid,
            tag: process.tag,
            labels: process.labels,
            queues: process.queues,
            concurrency: process.concurrency,
            busy: process.busy,
            quiet: process.quiet,
            embedded: process.embedded,
            rss_kb: process.rss_kb,
            rtt_us: process.rtt_us,
            version: process.version,
        }
    }
}

pub(crate) async fn list(session: &Session) -> Result<()> {
    let Session { api, out, .. } = session;
    let processes = api.processes().await?;
    if out.json {
        return out.json(&processes.into_iter().map(Shown::from).collect::<Vec<_>>());
    }
    let now = api.now();
    let row = |process: &Process| {
        let state = if process.quiet {
            Cell::name("quiet").looking(Look::Warning)
        } else {
            Cell::name("running").looking(Look::Good)
        };
        vec![
            Cell::name(&process.identity),
            Cell::text(&process.tag),
            state,
            Cell::number(process.busy),
            Cell::number(process.concurrency),
            Cell::time(process.started_at.map(|at| now.since(at))),
            Cell::time(process.beat.map(|at| now.since(at))),
            Cell::number(process.rss_kb / 1_024),
            Cell::text(process.queues.join(", ")),
        ]
    };
    let head = [
        "process", "tag", "state", "busy", "of", "up", "beat", "MiB", "queues",
    ];
    out.table(
        &head,
        &processes.iter().map(row).collect::<Vec<_>>(),
        "no process takes jobs from this store",
    )
}

#[derive(Serialize)]
struct Running {
    process: String,
    thread: String,
    run_at: Option<String>,
    #[serde(flatten)]
    job: Job,
}

pub(crate) async fn busy(session: &Session) -> Result<()> {
    let Session { api, out, .. } = session;
    let work = api.work().await?;
    if out.json {
        let shown = work.into_iter().map(|work| Running {
            run_at: work.run_at.map(moment),
            job: Job::new(&work.job, "running", None),
            process: work.process,
            thread: work.thread,
        });
        return out.json(&shown.collect::<Vec<_>>());
    }
    let now = api.now();
    let row = |work: &sancho::api::Work| {
        vec![
            Cell::name(work.job.jid().as_str()),
            Cell::text(work.job.display_class()),
            Cell::text(&work.queue),
            Cell::time(work.run_at.map(|at| now.since(at))),
            Cell::name(&work.process).looking(Look::Faint),
            Cell::text(work.job.display_args().join(", ")),
        ]
    };
    let head = ["jid", "job", "queue", "for", "process", "arguments"];
    out.table(
        &head,
        &work.iter().map(row).collect::<Vec<_>>(),
        "nothing runs",
    )
}

pub(crate) async fn quiet(session: &Session, which: &Processes) -> Result<()> {
    session
        .ask_about(which, "take no more jobs, which cannot be taken back")
        .await?;
    tell(session, which, Signal::Quiet, "told to take no more jobs").await
}

pub(crate) async fn stop(session: &Session, which: &Processes) -> Result<()> {
    session.ask_about(which, "stop").await?;
    tell(session, which, Signal::Stop, "told to stop").await
}

pub(crate) async fn dump(session: &Session, which: &Processes) -> Result<()> {
    tell(session, which, Signal::Dump, "told to log what it does").await
}

impl Session {
    async fn ask_about(&self, which: &Processes, what: &str) -> Result<()> {
        let found = chosen(self, which).await?;
        let names: Vec<_> = found
            .iter()
            .map(|process| process.identity.as_str())
            .collect();
        self.ask
            .before(&format!("{} is to {what}", names.join(", ")))
    }
}

async fn tell(session: &Session, which: &Processes, signal: Signal, done: &str) -> Result<()> {
    let found = chosen(session, which).await?;
    let mut told = Vec::with_capacity(found.len());
    for process in found {
        session.api.signal(&process.identity, signal).await?;
        if !session.out.json {
            session.out.say(&format!(
                "{} is {done}",
                one_line(&process.identity, usize::MAX)
            ))?;
        }
        told.push(process.identity);
    }
    if session.out.json {
        return session.out.json(&json!({ "told": told }));
    }
    Ok(())
}

/// The processes of these identities or beginnings; those that belong to another program, which alone can stop them, are refused.
async fn chosen(session: &Session, which: &Processes) -> Result<Vec<Process>> {
    let processes = session.api.processes().await?;
    if which.all {
        return match processes.is_empty() {
            true => Err(Error::failed("no process takes jobs from this store")),
            false => Ok(processes),
        };
    }
    let find = |text: &String| {
        if let Some(exactly) = processes.iter().find(|it| it.identity == *text) {
            return Ok(exactly.clone());
        }
        let mut found = processes
            .iter()
            .filter(|process| process.identity.starts_with(text.as_str()));
        match (found.next(), found.next()) {
            (Some(one), None) if !text.is_empty() => Ok(one.clone()),
            (Some(_), _) => Err(Error::usage(format!(
                "`{text}` is the beginning of several identities: write more of it"
            ))),
            (None, _) => Err(Error::failed(format!(
                "no process is called {text}: `sancho processes` lists them"
            ))),
        }
    };
    which.identities.iter().map(find).collect()
}
