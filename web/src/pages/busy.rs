//! Processes, and what they run.

use axum::response::Response;
use maud::{Markup, html};
use sancho::api::{Cancelled, Process, Signal, Work};
use sancho::job::Iteration;

use crate::action::Action;
use crate::app::{App, Asked};
use crate::chart;
use crate::format::{self, bytes, count, cut, duration, number, percent, time};
use crate::links::query;
use crate::page::{Page, Place, button, empty, head};
use crate::params::{Params, Posted};
use crate::problem::Problem;
use crate::snapshot::{Snapshot, Snapshots, in_time};

use super::dashboard::is_silent;
use super::{Tally, back, confirm, job_cell, notice, queue_link};

/// How many running jobs are shown.
const MOST: usize = 500;

pub(crate) async fn show(asked: Asked, params: Params) -> Result<Response, Problem> {
    let snapshot = Snapshots::get(&asked.app).await?;
    let running = Running::look(&asked.app).await?;
    let page = Page {
        asked: &asked,
        snapshot: &snapshot,
        place: Place::Busy,
        title: "Busy",
        live: Some("busy"),
    };
    Ok(page.with(&html! {
        (notice(&params))
        div data-current { (current(&asked, &snapshot, &running)) }
    }))
}

/// What runs, and how far it has come.
#[derive(Debug)]
pub(crate) struct Running {
    work: Vec<Work>,
    /// Of those that are shown.
    iterations: Vec<Option<Iteration>>,
}

impl Running {
    pub(crate) async fn look(app: &App) -> Result<Self, Problem> {
        let work = in_time(app.api.work()).await?;
        let shown = work.iter().take(MOST);
        let jids: Vec<_> = shown.map(|work| work.job.jid().as_str()).collect();
        let iterations = in_time(app.api.iterations(&jids)).await?;
        Ok(Self { work, iterations })
    }
}

/// What stays current.
pub(crate) fn current(asked: &Asked, snapshot: &Snapshot, running: &Running) -> Markup {
    let processes = &snapshot.overview.processes;
    let slots: u64 = processes.iter().map(|process| process.concurrency).sum();
    let about = html! {
        (count(processes.len() as u64, "process", "processes")) " · "
        (number(snapshot.overview.stats.busy)) " of " (number(slots)) " slots in use"
    };
    let all = html! {
        @if processes.iter().any(|process| !process.embedded) {
            form method="post" action=(asked.to("busy")) {
                (button(asked, Action::QuietProcess, "quiet", "Quiet all", Some("Tell all processes to take no more jobs?")))
                (button(asked, Action::StopProcess, "stop", "Stop all", Some("Stop all processes?")))
            }
        }
    };
    html! {
        (head("Busy", &about, &all))
        (processes_table(asked, snapshot))
        (work_table(asked, running))
    }
}

fn processes_table(asked: &Asked, snapshot: &Snapshot) -> Markup {
    let processes = &snapshot.overview.processes;
    html! {
        section.panel {
            div.title { h2 { "Processes" } }
            @if processes.is_empty() {
                (empty("No process shows itself", "Each worker appears here within seconds of its start, Ruby's included: start one on this store."))
            } @else {
                div.scroll { table.rows {
                    caption.hidden { "Processes" }
                    thead { tr {
                        th scope="col" { "Process" } th scope="col" { "Queues" } th.num scope="col" { "Busy" } th.wide scope="col" { span.hidden { "Utilisation" } }
                        th.num scope="col" { "Memory" } th.num scope="col" { "Round trip" } th scope="col" { "Started" } th scope="col" { "Last beat" } th scope="col" { span.hidden { "Actions" } }
                    } }
                    tbody { @for process in processes { (process_row(asked, snapshot, process)) } }
                } }
            }
        }
    }
}

fn process_row(asked: &Asked, snapshot: &Snapshot, process: &Process) -> Markup {
    html! {
        tr {
            td.job {
                span.class title=(process.identity) { (cut(&process.hostname, 60)) ":" (process.pid) }
                @if !process.tag.is_empty() { " " span.tag { (cut(&process.tag, 40)) } }
                @for label in process.labels.iter().take(4) { " " span.tag { (cut(label, 40)) } }
                @if process.leader { " " span.badge { "leader" } }
                @if process.quiet { " " span.badge.warn { "quiet" } }
                @if process.embedded { " " span.badge { "embedded" } }
                @if process.stuck > 0 { " " span.badge.bad title="Jobs that were given up and do not stop" { (number(process.stuck)) " stuck" } }
                @if is_silent(process, snapshot) { " " span.badge.bad { "silent" } }
                code.args { (cut(&process.identity, 80)) @if let Some(version) = &process.version { " · " (cut(version, 20)) } }
            }
            td.queues { (queues_of(asked, process)) }
            td.num { (number(process.busy)) " / " (number(process.concurrency)) }
            td.wide { (chart::share(process.busy, process.concurrency, "")) }
            td.num { @if process.rss_kb > 0 { (bytes(process.rss_kb.saturating_mul(1_024))) } }
            td.num { @if process.rtt_us > 0 { (micros(process.rtt_us)) } }
            td { @if let Some(at) = process.started_at { (time(at, asked.now)) } }
            td { @if let Some(at) = process.beat { (time(at, asked.now)) } }
            td.act {
                @if !process.embedded {
                    form method="post" action=(asked.to("busy")) {
                        input type="hidden" name="process" value=(process.identity);
                        (button(asked, Action::DumpProcess, "dump", "Log", None))
                        @if !process.quiet {
                            (button(asked, Action::QuietProcess, "quiet", "Quiet", Some("Tell this process to take no more jobs?")))
                        }
                        (button(asked, Action::StopProcess, "stop", "Stop", Some("Stop this process?")))
                    }
                }
            }
        }
    }
}

/// The queues of a process, by capsule where it has several.
fn queues_of(asked: &Asked, process: &Process) -> Markup {
    html! {
        @if process.capsules.len() > 1 {
            @for capsule in &process.capsules {
                div.capsule {
                    span.muted { (cut(&capsule.name, 40)) " × " (capsule.concurrency) ": " }
                    @for (queue, weight) in capsule.weights.iter().take(12) { (queue_link(asked, queue)) @if *weight > 1 { span.muted { "×" (weight) } } " " }
                }
            }
        } @else {
            @for (index, queue) in process.queues.iter().take(12).enumerate() { @if index > 0 { ", " } (queue_link(asked, queue)) }
            @if process.queues.len() > 12 { span.muted { " and " (process.queues.len() - 12) " more" } }
        }
    }
}

fn work_table(asked: &Asked, running: &Running) -> Markup {
    let work = &running.work;
    html! {
        section.panel {
            div.title {
                h2 { "Running jobs" }
                @if work.len() > MOST { p { "the longest running " (MOST) " of " (number(work.len() as u64)) } }
            }
            @if work.is_empty() {
                (empty("Nothing runs", "Jobs appear here while they run, as their processes last said: every five seconds, or ten."))
            } @else {
                div.scroll { table.rows {
                    caption.hidden { "Running jobs, the longest running first" }
                    thead { tr {
                        th scope="col" { "Job" } th scope="col" { "Queue" } th scope="col" { "Process" } th.num scope="col" { "Running for" } th scope="col" { span.hidden { "Actions" } }
                    } }
                    tbody {
                        @for (work, iteration) in work.iter().zip(&running.iterations) {
                            tr {
                                (job_cell(asked, &work.job, &link(asked, work)))
                                td { (queue_link(asked, &work.queue)) }
                                td.where { span title=(work.process) { (cut(host_and_pid(&work.process), 60)) } " " code.muted { (cut(&work.thread, 20)) } }
                                td.num {
                                    @if let Some(at) = work.run_at {
                                        time datetime=(format::rfc3339(at)) title=(format::exact(at)) data-since { (duration(asked.now.since(at))) }
                                    }
                                    (marks(work, iteration.as_ref()))
                                }
                                td.act {
                                    form method="post" action=(asked.to("busy")) {
                                        input type="hidden" name="jid" value=(work.job.jid());
                                        (button(asked, Action::CancelJob, "cancel", "Cancel", Some("Tell this job to end? It is not tried again.")))
                                    }
                                }
                            }
                        }
                    }
                } }
            }
        }
    }
}

/// How far it has come, and what is odd about it.
fn marks(work: &Work, iteration: Option<&Iteration>) -> Markup {
    html! {
        @if work.stuck {
            " " span.badge.bad title="It was given up and does not stop: its job is settled already, and may wait for another try." { "stuck" }
        }
        @if let Some(iteration) = iteration {
            @if iteration.cancelled.is_some() { " " span.badge.warn { "told to end" } }
            @if let Some(progress) = iteration.progress {
                div.progress title={ (number(progress.done)) " of " (number(progress.total)) } {
                    (chart::share(progress.done, progress.total, "Done"))
                    span { (percent(progress.done, progress.total)) }
                }
            }
        }
    }
}

/// The page of a running job.
pub(crate) fn link(asked: &Asked, work: &Work) -> String {
    format!(
        "{}{}",
        asked.to("job"),
        query(&[("in", "busy"), ("jid", work.job.jid().as_str())])
    )
}

/// A process without the part of its identity that nobody reads.
fn host_and_pid(identity: &str) -> &str {
    identity.rsplit_once(':').map_or(identity, |(host, _)| host)
}

#[expect(clippy::cast_precision_loss, reason = "it is rounded anyway")]
fn micros(micros: u64) -> String {
    if micros < 1_000 {
        format!("{micros} µs")
    } else {
        format!("{:.1} ms", micros as f64 / 1_000.0)
    }
}

pub(crate) async fn act(asked: Asked, Posted(posted): Posted) -> Result<Response, Problem> {
    let api = &asked.app.api;
    let did = posted.get("do").to_owned();
    let (action, signal, question) = match &*did {
        "cancel" => return cancel(&asked, &posted).await,
        "quiet" => (
            Action::QuietProcess,
            Signal::Quiet,
            "Tell it to take no more jobs?",
        ),
        "stop" => (Action::StopProcess, Signal::Stop, "Stop it?"),
        "dump" => (Action::DumpProcess, Signal::Dump, ""),
        _ => {
            return Err(Problem::invalid(
                "Nothing was done: a process can be told quiet, stop or dump.",
            ));
        }
    };
    asked.permit(action)?;
    let named = posted.get("process");
    if !question.is_empty() && posted.get("sure").is_empty() {
        let who = if named.is_empty() {
            "All processes"
        } else {
            named
        };
        return confirm(
            &asked,
            "busy",
            &posted,
            &format!("{}: {question}", cut(who, 100)),
        )
        .await;
    }
    asked.begin(
        action,
        if named.is_empty() {
            "all processes"
        } else {
            named
        },
    )?;
    let mut tally = Tally::default();
    if named.is_empty() {
        for process in api
            .processes()
            .await?
            .iter()
            .filter(|process| !process.embedded)
        {
            api.signal(&process.identity, signal).await?;
            tally.done += 1;
        }
    } else {
        api.signal(named, signal).await?;
        tally.done += 1;
    }
    Ok(tally.back(&asked, "busy", &did, &[]))
}

async fn cancel(asked: &Asked, posted: &Params) -> Result<Response, Problem> {
    asked.permit(Action::CancelJob)?;
    let jid = posted.get("jid");
    if posted.get("sure").is_empty() {
        let question = "Tell this job to end? It is not tried again.";
        return confirm(asked, "busy", posted, question).await;
    }
    asked.begin(Action::CancelJob, jid)?;
    let did = match asked.app.api.cancel(jid).await? {
        Cancelled::Removed(_) => "removed",
        Cancelled::Told | Cancelled::Asked { .. } => "cancel",
        _ => "missed",
    };
    Ok(back(asked, "busy", &[("did", did)]))
}
