//! Time limits, and what becomes of executions that were given up: their slots are free when nothing of them runs any more, and
//! one that does not stop is stuck.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Engine;
use super::capsule::CapsuleState;
use super::execute::{self, Known};
use super::slots::GivenUp;
use crate::job::panic::Caught;
use crate::job::{Cancel, CancelReason, Ending, Failure, Outcome, one_line, short};

/// How long its task may take after that to be dropped.
const DROP_GRACE: Duration = Duration::from_millis(250);

/// How often it is looked whether a job has run too long or should have ended. So jobs that hold their thread, and with it their own
/// timer, are found as well.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The waits between two looks whether a job that was given up has ended: doubled from the first to the last.
const OVER_WAITS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// Runs a job for at most this long; then drops its future, and fails as soon as nothing of it runs any more.
pub(super) async fn within<F: Future<Output = Result<Outcome, Failure>>>(
    limit: Duration,
    mut job: Caught<F>,
    cancel: &Cancel,
) -> Result<Outcome, Failure> {
    if let Some(deadline) = Instant::now().checked_add(limit) {
        cancel.set_deadline(deadline);
    }
    match timeout(limit, &mut job).await {
        // One that returned after it was told that its time is over is too late, as one whose future was dropped.
        Ok(result) if cancel.reason() != Some(CancelReason::Timeout) => return result,
        Ok(_) => {}
        Err(_) => cancel.give_up(CancelReason::Timeout),
    }
    drop(job);
    cancel.idle().await;
    Err(Failure::timed_out(limit))
}

/// Sees to executions that were given up.
pub(super) struct Limits {
    engine: Arc<Engine>,
    /// Whether a job of this server has a time limit.
    limited: bool,
    endings: JoinSet<()>,
}

impl Limits {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        let jobs = engine.registry.jobs();
        Self {
            limited: jobs.iter().any(|job| job.timeout.is_some()),
            engine,
            endings: JoinSet::new(),
        }
    }

    /// Runs until the process has left, which is later than when it begins to stop: its jobs are still running.
    pub(super) async fn run(mut self, left: CancellationToken) {
        let mut more = false;
        loop {
            let engine = self.engine.clone();
            let wait = async {
                tokio::select! {
                    () = sleep(LOOK_EVERY), if more || self.limited => {}
                    () = engine.given_up.notified() => {}
                }
            };
            if left.run_until_cancelled(wait).await.is_none() {
                return;
            }
            more = self.step();
        }
    }

    /// Whether there are some to look after again.
    fn step(&mut self) -> bool {
        let mut any = false;
        for capsule in self.engine.handle.states() {
            let (given_up, more) = capsule.slots.given_up(Cancel::grace);
            any |= more;
            for one in given_up {
                let (engine, capsule) = (self.engine.clone(), capsule.clone());
                self.endings.spawn(see_out(engine, capsule, one));
            }
        }
        while self.endings.try_join_next().is_some() {}
        any
    }
}

/// Waits until nothing of it runs any more, and settles it. One that takes too long is settled at once and is stuck from then on:
/// it keeps its slot, and a spare one stands in for it.
async fn see_out(engine: Arc<Engine>, capsule: Arc<CapsuleState>, given_up: GivenUp) {
    let in_time = timeout(DROP_GRACE, over(&given_up)).await.is_ok();
    let known = Known::of(&engine, &given_up.claimed);
    let (class, jid) = (known.class().unwrap_or_default(), known.jid());
    let (class, jid) = (short(class), short(jid));
    let queue = &*given_up.claimed.queue;
    let reason = given_up.cancel.reason();
    if !in_time {
        capsule.slots.mark_stuck(&given_up);
        let seconds = given_up.start.elapsed().as_secs_f64();
        tracing::error!(
            jid,
            class,
            queue,
            seconds,
            ?reason,
            "stuck: {} was given up and does not stop; a spare slot stands in for its own until it does",
            one_line(class)
        );
    }
    // Asked last: a job that ran too long or was cancelled may have lost its claim since, and then it is others who say how it ends, and
    // who mourn it.
    if capsule.slots.holds(&given_up.claim)
        && let Some(mut ending) = ending(reason, &known)
    {
        let took = given_up.start.elapsed();
        let claim = given_up.claim.clone();
        let executed = execute::conclude(
            &engine,
            claim,
            &given_up.claimed,
            &known,
            &given_up.checkpoints,
            &mut ending,
            took,
        )
        .await;
        capsule.endings.push(executed);
    }
    if !in_time {
        over(&given_up).await;
        tracing::info!(
            jid,
            class,
            queue,
            "no longer stuck: {} has stopped",
            one_line(class)
        );
    }
    capsule.slots.ended(&given_up.claim);
    capsule.endings.wake();
}

/// How it ended. A job that is handed back or taken over has not.
fn ending(reason: Option<CancelReason>, known: &Known) -> Option<Ending> {
    match reason? {
        CancelReason::User => Some(Ending::Cancelled),
        CancelReason::Timeout => {
            let limit = known.definition().and_then(|job| job.timeout);
            Some(Ending::Failed(match limit {
                Some(limit) => Failure::timed_out(limit),
                None => Failure::other(
                    "sancho::GivenUp",
                    "middleware has given the job up, and it does not stop",
                ),
            }))
        }
        CancelReason::Shutdown | CancelReason::LeaseLost => None,
    }
}

async fn over(given_up: &GivenUp) {
    let (mut wait, longest) = OVER_WAITS;
    while !given_up.is_over() {
        sleep(wait).await;
        wait = (wait * 2).min(longest);
    }
}
