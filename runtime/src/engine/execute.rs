//! Running one job, from its bytes to the transaction that settles it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::Instrument as _;

use super::capsule::CapsuleState;
use super::errors::ExecutionError;
use super::finish::{self, Finished};
use super::limits;
use super::metrics;
use super::middleware::{Execution, Next};
use super::{Engine, checkpoints, failed};
use crate::job::checkpoint::Checkpoints;
use crate::job::panic::Caught;
use crate::job::payload::Record;
use crate::job::{
    Call, Cancel, CancelReason, Context, ContextParts, Definition, Ending, Failure, Outcome,
    Resolved, Timestamp, one_line, short,
};
use crate::store::{ClaimId, Claimed, Tx};

/// What came of an execution.
#[derive(Debug)]
pub(super) struct Executed {
    pub(super) claim: ClaimId,
    pub(super) tx: Tx,
    pub(super) took: Duration,
}

/// Runs a claimed job. Dropping the future gives the execution up; its claim stays. Nothing comes of one that was given up and of
/// which somebody else has said how it ended.
pub(super) async fn execute(
    engine: &Engine,
    claim: ClaimId,
    claimed: &Claimed,
    cancel: &Cancel,
    checkpoints: &Arc<Checkpoints>,
) -> Option<Executed> {
    let (executed, _) = attempt(engine, claim, claimed, cancel, checkpoints).await?;
    Some(executed)
}

/// The same, and how the execution ended.
pub(super) async fn attempt(
    engine: &Engine,
    claim: ClaimId,
    claimed: &Claimed,
    cancel: &Cancel,
    checkpoints: &Arc<Checkpoints>,
) -> Option<(Executed, Ending)> {
    let start = Instant::now();
    let (known, mut ending) = match Record::parse(claimed.payload.clone()) {
        Err(malformed) => (Known::default(), Ending::malformed(&malformed)),
        Ok(record) => {
            let job = engine.registry.resolve(&record);
            let ending = match job {
                // Its recoveries were once too often: it is buried, here where its class may be known.
                _ if failed::is_given_up(Some(&record)) => Ending::Lost,
                Ok(job) => {
                    let ending = run(engine, claimed, &record, job, cancel, checkpoints).await;
                    checkpoints::ending(checkpoints, ending)
                }
                Err(ref class) => Ending::Failed(Failure::unknown_class(class)),
            };
            let (record, job) = (Some(record), job.ok());
            (Known { record, job }, ending)
        }
    };
    if !cancel.conclude() {
        return None;
    }
    if cancel.reason() == Some(CancelReason::User) {
        ending = Ending::Cancelled;
    }
    let took = start.elapsed();
    let checkpoints = checkpoints.as_ref();
    let executed = conclude(
        engine,
        claim,
        claimed,
        &known,
        checkpoints,
        &mut ending,
        took,
    )
    .await;
    Some((executed, ending))
}

/// What is known of a job: nothing, where its payload cannot be read.
#[derive(Debug, Default)]
pub(super) struct Known {
    record: Option<Record>,
    job: Option<Resolved>,
}

impl Known {
    pub(super) fn of(engine: &Engine, claimed: &Claimed) -> Self {
        let record = Record::parse(claimed.payload.clone()).ok();
        let job = record
            .as_ref()
            .and_then(|record| engine.registry.resolve(record).ok());
        Self { record, job }
    }

    pub(super) fn definition(&self) -> Option<&'static Definition> {
        self.job.map(|job| job.definition)
    }

    pub(super) fn class(&self) -> Option<&str> {
        self.record.as_ref().map(|record| match self.job {
            Some(job) => job.class(record),
            None => record.class(),
        })
    }

    pub(super) fn jid(&self) -> &str {
        let jid = self.record.as_ref().map(|record| record.jid().as_str());
        jid.unwrap_or_default()
    }
}

/// Logs and counts how an execution ended, and makes what settles its claim; where the job is given up, the death handlers are
/// told.
pub(super) async fn conclude(
    engine: &Engine,
    claim: ClaimId,
    claimed: &Claimed,
    known: &Known,
    checkpoints: &Checkpoints,
    ending: &mut Ending,
    took: Duration,
) -> Executed {
    log(claimed, known, ending, took);
    let finished = Finished {
        claim: claim.clone(),
        claimed,
        record: known.record.as_ref(),
        definition: known.definition(),
        checkpoints: Some(checkpoints),
    };
    engine.observed().metrics.record(metrics::Execution {
        class: known.class(),
        is_served: known.job.is_some(),
        queue: &claimed.queue,
        ending,
        took,
    });
    let settlement = finish::settle(engine, finished, ending);
    if !engine.error_handlers.is_empty()
        && let Some(failure) = ending.failure()
    {
        let error = ExecutionError {
            failure,
            class: known.class().unwrap_or_default(),
            claimed,
            record: known.record.as_ref(),
        };
        let limit = engine.config.hook_timeout;
        engine.error_handlers.tell(&error, limit).await;
    }
    let tx = settlement.announced(engine, ending).await;
    Executed { claim, tx, took }
}

async fn run(
    engine: &Engine,
    claimed: &Claimed,
    record: &Record,
    job: Resolved,
    cancel: &Cancel,
    checkpoints: &Arc<Checkpoints>,
) -> Ending {
    if cancel.reason() == Some(CancelReason::User) {
        // Cancelled while it was claimed and not started.
        return Ending::Cancelled;
    }
    let definition = job.definition;
    tracing::debug!(
        jid = short(record.jid().as_str()),
        class = short(job.class(record)),
        queue = &*claimed.queue,
        "start"
    );
    cancel.set_hook_timeout(engine.config.hook_timeout);
    let context = context(engine, claimed, record, cancel, checkpoints);
    let mut call = Call::new(
        record.args().clone(),
        engine.states.clone(),
        context.clone(),
    )
    .of_version(record.version());
    if job.is_active_job {
        call = call.of_active_job();
    }
    let execution = Execution::new(job.class(record), record, &context);
    // At `debug`, so that it costs nothing where nobody asked for it.
    let span = tracing::debug_span!(
        "execute",
        jid = short(record.jid().as_str()),
        class = short(job.class(record)),
        queue = &*claimed.queue,
        attempt = context.attempt(),
    );
    let job = Next::new(&engine.middleware, &execution, definition.run, call).run();
    let job = Caught::new(job.instrument(span));
    let result = match definition.timeout {
        None => {
            let result = job.await;
            if !cancel.is_idle() {
                // Middleware has dropped the job, a function of which still runs on its thread.
                cancel.give_up(CancelReason::Timeout);
                engine.given_up.notify_one();
                cancel.idle().await;
            }
            result
        }
        Some(limit) => limits::within(limit, job, cancel).await,
    };
    match result {
        Ok(outcome) => Ending::Returned(outcome),
        Err(failure) => Ending::Failed(failure),
    }
}

fn context(
    engine: &Engine,
    claimed: &Claimed,
    record: &Record,
    cancel: &Cancel,
    checkpoints: &Arc<Checkpoints>,
) -> Context {
    Context::new(ContextParts {
        jid: record.jid().clone(),
        queue: claimed.queue.clone(),
        attempt: record.retry_count().map_or(1, |count| {
            u32::try_from(count.saturating_add(2).max(1)).unwrap_or(u32::MAX)
        }),
        recoveries: record.recoveries().map_or(0, |recoveries| recoveries.count),
        tags: record.tags().to_vec(),
        stopping: engine.stopping.clone(),
        cancel: cancel.clone(),
        checkpoints: checkpoints.clone(),
    })
}

fn log(claimed: &Claimed, known: &Known, ending: &Ending, took: Duration) {
    let jid = short(known.jid());
    let class = known.class().map_or("", short);
    let queue = &*claimed.queue;
    // Seconds, as Sidekiq's log has them.
    let elapsed = (took.as_secs_f64() * 1e6).round() / 1e6;
    match ending {
        Ending::Returned(Outcome::Done) => tracing::debug!(jid, class, queue, elapsed, "done"),
        Ending::Returned(outcome) => {
            let outcome = one_line(format!("{outcome:?}"));
            tracing::info!(jid, class, queue, elapsed, %outcome, "done");
        }
        Ending::Failed(failure) => {
            tracing::warn!(
                jid,
                class,
                queue,
                elapsed,
                error_class = failure.class,
                "fail: {}",
                one_line(&failure.message)
            );
        }
        Ending::Unreadable(failure) => {
            tracing::error!(
                queue,
                "what was claimed goes to the dead set: {}",
                one_line(failure)
            );
        }
        Ending::Cancelled => {
            tracing::info!(
                jid,
                class,
                queue,
                elapsed,
                "discarded: it was cancelled by a user"
            );
        }
        Ending::Lost => {
            tracing::error!(
                jid,
                class,
                queue,
                "gave up a job whose processes died: it was left to this one"
            );
        }
        Ending::HandedBack => {}
    }
}

/// A job in a slot. Dropped, it is given up; what is dropped because it has ended is not affected.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) claim: ClaimId,
    pub(super) claimed: Claimed,
    pub(super) since: Timestamp,
    pub(super) start: Instant,
    pub(super) cancel: Cancel,
    pub(super) checkpoints: Arc<Checkpoints>,
    pub(super) task: tokio::task::AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts a job on a task of its own.
pub(super) fn start(
    engine: &Arc<Engine>,
    capsule: &Arc<CapsuleState>,
    claim: ClaimId,
    claimed: Claimed,
) -> Running {
    let cancel = Cancel::default();
    let checkpoints = checkpoints::of(engine, &claim);
    let work = {
        let (engine, capsule, claim, claimed, cancel, checkpoints) = (
            engine.clone(),
            capsule.clone(),
            claim.clone(),
            claimed.clone(),
            cancel.clone(),
            checkpoints.clone(),
        );
        async move {
            if let Some(executed) = execute(&engine, claim, &claimed, &cancel, &checkpoints).await {
                capsule.endings.push(executed);
            }
        }
    };
    let task = engine.tasks.spawn(work).abort_handle();
    Running {
        claim,
        claimed,
        since: engine.clock.now(),
        start: Instant::now(),
        cancel,
        checkpoints,
        task,
    }
}
