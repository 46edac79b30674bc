//! Running one job, from its bytes to the transaction that settles it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Engine;
use super::capsule::CapsuleState;
use super::finish::{self, Finished, Settlement};
use super::middleware::{Execution, Next};
use crate::job::panic::Caught;
use crate::job::payload::Record;
use crate::job::{
    Call, Context, ContextParts, Ending, Failure, Outcome, Resolved, Timestamp, one_line, short,
};
use crate::store::{ClaimId, Claimed, Tx};

/// What came of an execution.
#[derive(Debug)]
pub(super) struct Executed {
    pub(super) claim: ClaimId,
    pub(super) tx: Tx,
    pub(super) took: Duration,
}

/// Runs a claimed job. Dropping the future gives the execution up; its claim stays.
pub(super) async fn execute(
    engine: &Engine,
    claim: ClaimId,
    claimed: &Claimed,
    cancelled: CancellationToken,
) -> Executed {
    let start = Instant::now();
    let (record, job, ending) = match Record::parse(claimed.payload.clone()) {
        Err(malformed) => (None, None, Ending::malformed(&malformed)),
        Ok(record) => {
            let job = engine.registry.resolve(&record);
            let ending = match job {
                Ok(job) => run(engine, claimed, &record, job, cancelled).await,
                Err(ref class) => Ending::Failed(Failure::unknown_class(class)),
            };
            (Some(record), job.ok(), ending)
        }
    };
    let took = start.elapsed();
    let class = record.as_ref().map(|record| match job {
        Some(job) => job.class(record),
        None => record.class(),
    });
    log(claimed, record.as_ref(), class, &ending, took);
    let finished = Finished {
        claim: claim.clone(),
        claimed,
        record: record.as_ref(),
        definition: job.map(|job| job.definition),
    };
    engine.metrics.record(class, &ending, took);
    let Settlement { tx, death } = finish::settle(engine, finished, &ending);
    if let Some(dying) = death {
        engine.death_handlers.tell(&dying).await;
    }
    Executed { claim, tx, took }
}

async fn run(
    engine: &Engine,
    claimed: &Claimed,
    record: &Record,
    job: Resolved,
    cancelled: CancellationToken,
) -> Ending {
    let definition = job.definition;
    tracing::debug!(
        jid = short(record.jid().as_str()),
        class = short(job.class(record)),
        queue = &*claimed.queue,
        "start"
    );
    let context = context(engine, claimed, record, &cancelled);
    let mut call = Call::new(
        record.args().clone(),
        engine.states.clone(),
        context.clone(),
    );
    if job.is_active_job {
        call = call.of_active_job();
    }
    let execution = Execution {
        class: job.class(record),
        record,
        context: &context,
    };
    let job = Caught::new(Next::new(&engine.middleware, &execution, definition.run, call).run());
    let result = match definition.timeout {
        None => job.await,
        Some(limit) => match tokio::time::timeout(limit, job).await {
            Ok(result) => result,
            Err(_) => {
                cancelled.cancel();
                Err(Failure::timed_out(limit))
            }
        },
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
    cancelled: &CancellationToken,
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
        cancelled: cancelled.clone(),
    })
}

fn log(
    claimed: &Claimed,
    record: Option<&Record>,
    class: Option<&str>,
    ending: &Ending,
    took: Duration,
) {
    let jid = record.map_or("", |record| short(record.jid().as_str()));
    let class = class.map_or("", short);
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
        Ending::HandedBack | Ending::Lost => {}
    }
}

/// A job in a slot. Dropped, it is given up; what is dropped because it has ended is not affected.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) claim: ClaimId,
    pub(super) claimed: Claimed,
    pub(super) since: Timestamp,
    pub(super) cancelled: CancellationToken,
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
    let cancelled = CancellationToken::new();
    let work = {
        let (engine, capsule, claim, claimed, cancelled) = (
            engine.clone(),
            capsule.clone(),
            claim.clone(),
            claimed.clone(),
            cancelled.clone(),
        );
        async move {
            let executed = execute(&engine, claim, &claimed, cancelled).await;
            capsule.endings.push(executed);
        }
    };
    let task = engine.tasks.spawn(work).abort_handle();
    Running {
        claim,
        claimed,
        since: engine.clock.now(),
        cancelled,
        task,
    }
}
