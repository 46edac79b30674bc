//! The cron.

use sancho::api::{CronRun, CronStatus};
use sancho::cron::CronEntry;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::Session;
use crate::args::{Cron, CronAdd};
use crate::error::{Error, Result};
use crate::output::{Cell, Look, human, moment, one_line};

/// How many of the next ticks are shown.
const NEXT: usize = 5;

#[derive(Serialize)]
struct Shown {
    name: String,
    enabled: bool,
    origin: String,
    class: Option<String>,
    cron: Option<String>,
    tz: Option<String>,
    /// Why this version cannot read it.
    error: Option<String>,
    ticks: u64,
    last_tick: Option<String>,
    next: Vec<String>,
    history: Vec<Run>,
}

#[derive(Serialize)]
struct Run {
    tick: Option<String>,
    at: String,
    jid: Option<String>,
    error: Option<String>,
}

impl From<&CronRun> for Run {
    fn from(run: &CronRun) -> Self {
        Self {
            tick: run.tick.map(moment),
            at: moment(run.at),
            jid: run.jid.as_ref().map(ToString::to_string),
            error: run.error.clone(),
        }
    }
}

impl Shown {
    fn of(session: &Session, status: &CronStatus) -> Self {
        let entry = status.entry.as_ref();
        let next = status.next_runs(NEXT, session.api.now());
        Self {
            name: status.name.clone(),
            enabled: status.enabled,
            origin: status.origin.clone(),
            class: entry.map(|entry| entry.class().to_owned()).ok(),
            cron: entry
                .map(|entry| entry.schedule().expression().to_owned())
                .ok(),
            tz: entry.map(|entry| entry.schedule().zone().to_owned()).ok(),
            error: entry.err().map(ToString::to_string),
            ticks: status.ticks,
            last_tick: status.last_tick.map(moment),
            next: next.into_iter().map(moment).collect(),
            history: status.history().iter().map(Run::from).collect(),
        }
    }
}

pub(crate) async fn cron(session: &Session, command: Cron) -> Result<()> {
    let cron = session.api.cron();
    let done = |name: String, what: &str| {
        let line = format!("{name} {what}");
        session.out.done(&line, &json!({ "name": name }))
    };
    match command {
        Cron::List => list(session).await,
        Cron::Show { name } => show(session, &name).await,
        Cron::Add(add) => {
            let entry = entry(&add)?;
            cron.add(entry).await?;
            done(add.name, "is added")
        }
        Cron::Remove { name } => {
            session
                .ask
                .before(&format!("the cron entry {name} is removed"))?;
            match cron.remove(&name).await?.is_done() {
                true => done(name, "is removed"),
                false => Err(missing(&name)),
            }
        }
        Cron::Enable { name } => {
            cron.enable(&name).await?;
            done(name, "comes again")
        }
        Cron::Disable { name } => {
            cron.disable(&name).await?;
            done(name, "comes no more until it is enabled")
        }
        Cron::Run { name } => {
            let jid = cron.run_now(&name).await?;
            let line = format!("{jid} {name}");
            session
                .out
                .done(&line, &json!({ "name": name, "jid": jid.as_str() }))
        }
        Cron::Load { file } => {
            cron.load_file(&file).await?;
            let line = format!("the entries of {} are loaded", file.display());
            session.out.done(&line, &json!({ "file": file }))
        }
    }
}

async fn list(session: &Session) -> Result<()> {
    let Session { api, out, .. } = session;
    let entries = api.cron().list().await?;
    if out.json {
        let shown: Vec<_> = entries
            .iter()
            .map(|status| Shown::of(session, status))
            .collect();
        return out.json(&shown);
    }
    let now = api.now();
    let row = |status: &CronStatus| {
        let (cron, class) = match &status.entry {
            Ok(entry) => (
                Cell::text(format!(
                    "{} {}",
                    entry.schedule().expression(),
                    entry.schedule().zone()
                )),
                Cell::text(entry.class()),
            ),
            Err(error) => (
                Cell::text(error.to_string()).looking(Look::Bad),
                Cell::text(""),
            ),
        };
        let next = match status.next_runs(1, now).first() {
            Some(next) if status.enabled => Cell::text(format!("in {}", human(next.since(now)))),
            _ => Cell::text("disabled").looking(Look::Warning),
        };
        let last = status.last_tick.map_or_else(
            || "never".to_owned(),
            |last| format!("{} ago", human(now.since(last))),
        );
        vec![
            Cell::name(&status.name),
            cron,
            class,
            next,
            Cell::text(last),
            Cell::number(status.ticks),
        ]
    };
    let head = ["entry", "cron", "job", "next", "last", "ticks"];
    out.table(
        &head,
        &entries.iter().map(row).collect::<Vec<_>>(),
        "no cron entries",
    )
}

async fn show(session: &Session, name: &str) -> Result<()> {
    let Session { api, out, .. } = session;
    let status = api.cron().get(name).await?.ok_or_else(|| missing(name))?;
    let shown = Shown::of(session, &status);
    if out.json {
        return out.json(&shown);
    }
    let line = |name: &str, value: &str| {
        out.say(&format!(
            "{}{}",
            out.paint(&format!("{name:<10}"), Look::Faint),
            one_line(value, usize::MAX)
        ))
    };
    line("entry", &shown.name)?;
    line("job", shown.class.as_deref().unwrap_or_default())?;
    line(
        "cron",
        shown
            .cron
            .as_deref()
            .or(shown.error.as_deref())
            .unwrap_or_default(),
    )?;
    line("zone", shown.tz.as_deref().unwrap_or_default())?;
    line("from", &shown.origin)?;
    line("enabled", if shown.enabled { "yes" } else { "no" })?;
    for next in &shown.next {
        line("next", next)?;
    }
    for run in &shown.history {
        let what = run
            .error
            .as_deref()
            .or(run.jid.as_deref())
            .unwrap_or_default();
        line("made", &format!("{} {what}", run.at))?;
    }
    Ok(())
}

fn entry(add: &CronAdd) -> Result<CronEntry> {
    let wrong = |error: sancho::cron::CronError| Error::usage(error.to_string());
    let args = add.args.iter().map(|text| super::enqueue::argument(text));
    let args: Vec<Box<RawValue>> = args.collect::<Result<_>>()?;
    let mut entry =
        CronEntry::new(add.name.as_str(), &add.cron, add.class.as_str()).map_err(wrong)?;
    entry = entry.args(args).map_err(wrong)?;
    if let Some(zone) = &add.tz {
        entry = entry.tz(zone).map_err(wrong)?;
    }
    if let Some(queue) = &add.queue {
        entry = entry.queue(queue.as_str()).map_err(wrong)?;
    }
    if let Some(description) = &add.description {
        entry = entry.description(description.as_str());
    }
    Ok(entry)
}

fn missing(name: &str) -> Error {
    Error::failed(format!(
        "there is no cron entry {name}: `sancho cron list` lists them"
    ))
}
