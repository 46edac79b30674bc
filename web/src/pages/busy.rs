//! Processes, and what they run.

use axum::response::Response;
use maud::{Markup, html};
use sancho::api::{Cancelled, Process, Signal, Work};
use sancho::job::Iteration;

use crate::action::Action;
use crate::app::{App, Asked};
use crate::chart;
use crate::format::cut;
use crate::language::Words;
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
        title: &asked.words.busy,
        live: Some("busy"),
    };
    Ok(page.with(&html! {
        (notice(asked.words, &params))
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
    let w = asked.words;
    let processes = &snapshot.overview.processes;
    let slots: u64 = processes.iter().map(|process| process.concurrency).sum();
    let about = html! {
        (w.processes_n.of(w, processes.len() as u64)) " · "
        (w.slots_in_use.with(&[("n", &w.number(snapshot.overview.stats.busy)), ("total", &w.number(slots))]))
    };
    let all = html! {
        @if processes.iter().any(|process| !process.embedded) {
            form method="post" action=(asked.to("busy")) {
                (button(asked, Action::QuietProcess, "quiet", &w.quiet_all, Some(&w.ask_quiet_all)))
                (button(asked, Action::StopProcess, "stop", &w.stop_all, Some(&w.ask_stop_all)))
            }
        }
    };
    html! {
        (head(&w.busy, &about, &all))
        (processes_table(asked, snapshot))
        (work_table(asked, running))
    }
}

fn processes_table(asked: &Asked, snapshot: &Snapshot) -> Markup {
    let w = asked.words;
    let processes = &snapshot.overview.processes;
    html! {
        section.panel {
            div.title { h2 { (w.processes) } }
            @if processes.is_empty() {
                (empty(&w.no_process, &w.no_process_hint))
            } @else {
                div.scroll { table.rows {
                    caption.hidden { (w.processes) }
                    thead { tr {
                        th scope="col" { (w.process) } th scope="col" { (w.queues) } th.num scope="col" { (w.busy) } th.wide scope="col" { span.hidden { (w.utilisation) } }
                        th.num scope="col" { (w.memory) } th.num scope="col" { (w.round_trip) } th scope="col" { (w.started) } th scope="col" { (w.last_beat) } th scope="col" { span.hidden { (w.actions) } }
                    } }
                    tbody { @for process in processes { (process_row(asked, snapshot, process)) } }
                } }
            }
        }
    }
}

fn process_row(asked: &Asked, snapshot: &Snapshot, process: &Process) -> Markup {
    let w = asked.words;
    html! {
        tr {
            td.job {
                span.class title=(process.identity) { (cut(&process.hostname, 60)) ":" (process.pid) }
                @if !process.tag.is_empty() { " " span.tag { (cut(&process.tag, 40)) } }
                @for label in process.labels.iter().take(4) { " " span.tag { (cut(label, 40)) } }
                @if process.leader { " " span.badge { (w.badge_leader) } }
                @if process.quiet { " " span.badge.warn { (w.badge_quiet) } }
                @if process.embedded { " " span.badge { (w.badge_embedded) } }
                @if process.stuck > 0 { " " span.badge.bad title=(w.stuck_jobs) { (w.n_stuck.with(&[("n", &w.number(process.stuck))])) } }
                @if is_silent(process, snapshot) { " " span.badge.bad { (w.badge_silent) } }
                code.args { (cut(&process.identity, 80)) @if let Some(version) = &process.version { " · " (cut(version, 20)) } }
            }
            td.queues { (queues_of(asked, process)) }
            td.num data-of=(w.busy) { (w.number(process.busy)) " / " (w.number(process.concurrency)) }
            td.wide { (chart::share(process.busy, process.concurrency, "")) }
            td.num { @if process.rss_kb > 0 { (w.bytes(process.rss_kb.saturating_mul(1_024))) } }
            td.num { @if process.rtt_us > 0 { (micros(w, process.rtt_us)) } }
            td data-of=(w.started) { @if let Some(at) = process.started_at { (w.time(at, asked.now)) } }
            td data-of=(w.last_beat) { @if let Some(at) = process.beat { (w.time(at, asked.now)) } }
            td.act {
                @if !process.embedded {
                    form method="post" action=(asked.to("busy")) {
                        input type="hidden" name="process" value=(process.identity);
                        (button(asked, Action::DumpProcess, "dump", &w.log, None))
                        @if !process.quiet {
                            (button(asked, Action::QuietProcess, "quiet", &w.quiet, Some(&w.ask_quiet)))
                        }
                        (button(asked, Action::StopProcess, "stop", &w.stop, Some(&w.ask_stop)))
                    }
                }
            }
        }
    }
}

/// The queues of a process, by capsule where it has several.
fn queues_of(asked: &Asked, process: &Process) -> Markup {
    let w = asked.words;
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
            @if process.queues.len() > 12 { " " span.muted { (w.and_n_more.with(&[("n", &(process.queues.len() - 12))])) } }
        }
    }
}

fn work_table(asked: &Asked, running: &Running) -> Markup {
    let w = asked.words;
    let work = &running.work;
    html! {
        section.panel {
            div.title {
                h2 { (w.running_jobs) }
                @if work.len() > MOST { p { (w.longest_running.with(&[("n", &w.number(MOST as u64)), ("total", &w.number(work.len() as u64))])) } }
            }
            @if work.is_empty() {
                (empty(&w.nothing_runs, &w.nothing_runs_hint))
            } @else {
                div.scroll { table.rows {
                    caption.hidden { (w.running_caption) }
                    thead { tr {
                        th scope="col" { (w.job) } th scope="col" { (w.queue) } th scope="col" { (w.process) } th.num scope="col" { (w.running_for) } th scope="col" { span.hidden { (w.actions) } }
                    } }
                    tbody {
                        @for (work, iteration) in work.iter().zip(&running.iterations) {
                            tr {
                                (job_cell(asked, &work.job, &link(asked, work)))
                                td { (queue_link(asked, &work.queue)) }
                                td.where { span title=(work.process) { (cut(host_and_pid(&work.process), 60)) } " " code.muted { (cut(&work.thread, 20)) } }
                                td.num {
                                    @if let Some(at) = work.run_at { (w.since(at, asked.now)) }
                                    (marks(w, work, iteration.as_ref()))
                                }
                                td.act {
                                    form method="post" action=(asked.to("busy")) {
                                        input type="hidden" name="jid" value=(work.job.jid());
                                        (button(asked, Action::CancelJob, "cancel", &w.cancel, Some(&w.ask_cancel)))
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
fn marks(w: &'static Words, work: &Work, iteration: Option<&Iteration>) -> Markup {
    html! {
        @if work.stuck {
            " " span.badge.bad title=(w.stuck_hint) { (w.badge_stuck) }
        }
        @if let Some(iteration) = iteration {
            @if iteration.cancelled.is_some() { " " span.badge.warn { (w.told_to_end) } }
            @if let Some(progress) = iteration.progress {
                div.progress title=(w.of_total.with(&[("n", &w.number(progress.done)), ("total", &w.number(progress.total))])) {
                    (chart::share(progress.done, progress.total, &w.done))
                    span { (w.share(progress.done, progress.total)) }
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
fn micros(w: &Words, micros: u64) -> String {
    if micros < 1_000 {
        format!("{micros} µs")
    } else {
        w.unit_ms
            .text(&[("n", &w.decimal(micros as f64 / 1_000.0, 1))])
    }
}

pub(crate) async fn act(asked: Asked, Posted(posted): Posted) -> Result<Response, Problem> {
    let w = asked.words;
    let api = &asked.app.api;
    let did = posted.get("do").to_owned();
    let (action, signal, questions) = match &*did {
        "cancel" => return cancel(&asked, &posted).await,
        "quiet" => (
            Action::QuietProcess,
            Signal::Quiet,
            Some([&w.ask_quiet, &w.ask_quiet_all]),
        ),
        "stop" => (
            Action::StopProcess,
            Signal::Stop,
            Some([&w.ask_stop, &w.ask_stop_all]),
        ),
        "dump" => (Action::DumpProcess, Signal::Dump, None),
        _ => {
            return Err(Problem::invalid(
                "Nothing was done: a process can be told quiet, stop or dump.",
            ));
        }
    };
    asked.permit(action)?;
    let named = posted.get("process");
    if let Some([one, all]) = questions
        && posted.get("sure").is_empty()
    {
        let question = if named.is_empty() {
            all.to_string()
        } else {
            format!("{}: {}", cut(named, 100), &**one)
        };
        return confirm(&asked, "busy", &posted, &question).await;
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
        return confirm(asked, "busy", posted, &asked.words.ask_cancel).await;
    }
    asked.begin(Action::CancelJob, jid)?;
    let did = match asked.app.api.cancel(jid).await? {
        Cancelled::Removed(_) => "removed",
        Cancelled::Told | Cancelled::Asked { .. } => "cancel",
        _ => "missed",
    };
    Ok(back(asked, "busy", &[("did", did)]))
}
