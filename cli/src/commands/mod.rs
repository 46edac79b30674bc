//! One file for each group of commands.

mod act;
mod cancel;
mod cron;
mod doctor;
mod enqueue;
mod jobs;
pub(crate) mod manual;
mod processes;
mod queues;
pub(crate) mod relocate;
mod stats;
mod top;
mod transfer;
mod web;

use std::path::Path;

use crate::Session;
use crate::args::{Command, Cron, Jobs};
use crate::error::{Error, Result};

/// Refuses a SQLite file that is not there, by the name of its store: opened, it would be made, and look like one without jobs.
pub(crate) fn refuse_missing(store: &str) -> Result<()> {
    if store == "memory:" {
        return Err(Error::usage(
            "the store is memory:, which is of one process alone: name another with --store",
        ));
    }
    match store.strip_prefix("sqlite:") {
        Some(path) if !Path::new(path).exists() => Err(Error::usage(format!(
            "the store is {store}, and there is no such file: name another with --store, SANCHO_STORE or REDIS_URL"
        ))),
        _ => Ok(()),
    }
}

/// Whether a command may be the first that a store hears of.
pub(crate) fn may_begin(command: &Command) -> bool {
    matches!(
        command,
        Command::Enqueue(_)
            | Command::Import { .. }
            | Command::Cron(Cron::Add(_) | Cron::Load { .. })
            | Command::Pause { .. }
            | Command::Web(_)
    )
}

pub(crate) async fn run(session: &Session, command: Command) -> Result<()> {
    match command {
        Command::Stats { days } => stats::stats(session, days).await,
        Command::Queues => queues::list(session).await,
        Command::Processes => processes::list(session).await,
        Command::Busy => processes::busy(session).await,
        Command::Jobs(Jobs::List { place, limit }) => jobs::list(session, &place, limit).await,
        Command::Jobs(Jobs::Show { jid }) => jobs::show(session, &jid).await,
        Command::Jobs(Jobs::Search { query, limit }) => jobs::search(session, &query, limit).await,
        Command::Retry(chosen) => act::retry(session, &chosen).await,
        Command::Kill(chosen) => act::kill(session, &chosen).await,
        Command::Delete(chosen) => act::delete(session, &chosen).await,
        Command::Reschedule { chosen, when } => act::reschedule(session, &chosen, &when).await,
        Command::Cancel { jids } => cancel::cancel(session, &jids).await,
        Command::Cron(command) => cron::cron(session, command).await,
        Command::Pause { queue } => queues::pause(session, &queue).await,
        Command::Resume { queue } => queues::resume(session, &queue).await,
        Command::Clear { place } => act::clear(session, &place).await,
        Command::Enqueue(job) => enqueue::enqueue(session, job).await,
        Command::Quiet(which) => processes::quiet(session, &which).await,
        Command::Stop(which) => processes::stop(session, &which).await,
        Command::Dump(which) => processes::dump(session, &which).await,
        Command::Export { places, output } => transfer::export(session, places, output).await,
        Command::Import { file } => transfer::import(session, &file).await,
        Command::Doctor { fix } => doctor::doctor(session, fix).await,
        Command::Top { every } => top::top(session, every).await,
        Command::Web(web) => web::web(session, web).await,
        // They need no store, or name theirs themselves.
        Command::Move { .. } | Command::Completions { .. } | Command::Man => Ok(()),
    }
}
