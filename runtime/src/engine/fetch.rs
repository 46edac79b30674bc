//! The loop that keeps the slots full: what ended is committed and what is free is claimed, in one round trip.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Engine;
use super::capsule::CapsuleState;
use super::execute::{self, Executed};
use super::finish::{self, Finished};
use super::pace::Pace;
use super::points::Point;
use super::pulse::Pulse;
use super::queues::Draw;
use super::session::{Claims, Turn};
use super::shutdown::Stop;
use crate::job::checkpoint::Checkpoints;
use crate::job::{Ending, one_line};
use crate::store::{ClaimId, Claimed, Interest, MAX_CLAIM, Owner, Tx, TxResult};

/// How long it sleeps at most: a belt for wake-ups that are lost, and a sign of life.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// How long jobs that were claimed ahead wait for a slot while none becomes free. After that they go back to the heads of their
/// queues, for whoever has one. For as long, they are started while the store has not answered: later, the lease may be over.
const AHEAD_PATIENCE: Duration = Duration::from_millis(100);

/// The waits before a transaction that the store could not apply is tried again: doubled from the first to the last.
const FAILED_WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// How long an aborted job may take until nothing of it runs any more.
const ABORT_GRACE: Duration = Duration::from_secs(1);

/// Fills the slots of one capsule.
pub(super) struct Fetch {
    engine: Arc<Engine>,
    capsule: Arc<CapsuleState>,
    pulse: Pulse,
    /// The shape of the capsule that this goes by.
    version: u64,
    concurrency: usize,
    draw: Draw,
    interest: Interest,
    /// Who claimed last.
    owner: Option<Owner>,
    /// Claimed and not started, oldest first.
    ahead: VecDeque<(ClaimId, Claimed)>,
    /// Ended, and not to be committed: each keeps its claim and its slot.
    failed: Vec<Failed>,
    /// Ended, and to be committed with the next turn.
    pending: Vec<Pending>,
    pace: Pace,
    /// Whether the queues may have more than was claimed.
    hungry: bool,
    unusable: Vec<Arc<str>>,
}

/// A transaction that settles a claim.
struct Pending {
    claim: ClaimId,
    tx: Tx,
    /// How long it waited before this try, if the store could not apply it before.
    wait: Option<Duration>,
}

/// One that the store could not apply.
struct Failed {
    pending: Pending,
    due: Instant,
}

impl Fetch {
    pub(super) fn new(engine: Arc<Engine>, capsule: Arc<CapsuleState>) -> Self {
        Self {
            pulse: engine.handle.pulse(LONGEST_SLEEP),
            engine,
            version: capsule.version(),
            concurrency: capsule.shape().concurrency,
            draw: capsule.draw(),
            capsule,
            interest: Interest::queues(),
            owner: None,
            ahead: VecDeque::new(),
            failed: Vec::new(),
            pending: Vec::new(),
            pace: Pace::new(),
            hungry: true,
            unusable: Vec::new(),
        }
    }

    /// Runs until the server stops; then hands back what was not started and waits for what runs, until all of it has ended
    /// or the time for it is over, and hands the rest back.
    pub(super) async fn run(mut self, stop: Arc<Stop>) {
        while !stop.begun.is_cancelled() {
            self.step(&stop).await;
        }
        self.pulse.end();
        self.engine.points.reach(Point::Stopping);
        stop.wait_for(self.hand_back_ahead()).await;
        self.engine.points.reach(Point::Stopping);
        stop.wait_for(self.drain()).await;
        self.interrupt().await;
    }

    async fn step(&mut self, stop: &Stop) {
        self.pulse.beat();
        self.follow();
        if self.engine.handle.is_quiet() {
            self.hand_back_ahead().await;
        }
        self.fill_slots();
        let ended = self.capsule.endings.gather(self.capsule.slots.len()).await;
        let limit = if self.hungry { self.room(&ended) } else { 0 };
        self.collect(ended);
        if self.pending.is_empty() && limit == 0 {
            self.rest(stop).await;
        } else {
            self.turn(limit, Some(stop)).await;
        }
    }

    /// Goes by the shape that the capsule has now.
    fn follow(&mut self) {
        let version = self.capsule.version();
        if version != self.version {
            self.version = version;
            self.concurrency = self.capsule.shape().concurrency;
            self.draw = self.capsule.draw();
            self.hungry = true;
        }
    }

    fn fill_slots(&mut self) {
        while self.busy(&[]) < self.concurrency
            && let Some((claim, claimed)) = self.ahead.pop_front()
        {
            let running = execute::start(&self.engine, &self.capsule, claim.clone(), claimed);
            if self.capsule.slots.insert(claim, running) {
                self.engine.given_up.notify_one();
            }
        }
    }

    /// The slots in use once these are removed: by jobs that run, by those that were given up and have not ended, and by those whose end could not be
    /// committed. There are as many spare slots as others.
    fn busy(&self, ended: &[Executed]) -> usize {
        let spares = self.concurrency;
        self.capsule.slots.occupied(spares, ended) + self.failed.len()
    }

    /// How many to claim, where so many more have ended.
    fn room(&mut self, ended: &[Executed]) -> usize {
        if self.engine.handle.is_quiet() || self.draw.is_empty() {
            return 0;
        }
        let slots = self.concurrency;
        let held = self.busy(ended) + self.ahead.len();
        let ahead = self.pace.ahead(slots);
        let room = (slots + ahead).saturating_sub(held);
        // The half at a time: one runs while the other is on its way.
        let free = slots.saturating_sub(held);
        room.min(free + ahead.div_ceil(2)).min(MAX_CLAIM)
    }

    /// What is to be committed next: what has ended, and what could not be committed and is due again. An end of a job that is
    /// not held any more, since it was given up, is dropped.
    fn collect(&mut self, ended: Vec<Executed>) {
        for Executed { claim, tx, took } in ended {
            if let Some(running) = self.capsule.slots.remove(&claim) {
                self.pace.ended(took, running.claimed.payload.len());
                self.pending.push(Pending {
                    claim,
                    tx,
                    wait: None,
                });
            }
        }
        if !self.failed.is_empty() {
            let now = Instant::now();
            self.pending.extend(
                self.failed
                    .extract_if(.., |failed| failed.due <= now)
                    .map(|failed| failed.pending),
            );
        }
    }

    /// A turn. What is pending stays so until there is an answer, so that nothing is lost where this is cut off.
    async fn turn(&mut self, limit: usize, fills: Option<&Stop>) {
        let txs: Vec<_> = self
            .pending
            .iter()
            .map(|pending| pending.tx.clone())
            .collect();
        if !txs.is_empty() {
            self.engine.points.reach(Point::BeforeCommit);
        }
        let sources = if limit > 0 {
            self.draw.sources(limit)
        } else {
            Vec::new()
        };
        let engine = self.engine.clone();
        let answer = pin!(engine.session.turn(&txs, sources, limit));
        let Turn { results, claimed } = match fills {
            Some(stop) => self.fill_until(answer, stop).await,
            None => answer.await,
        };
        if !txs.is_empty() {
            self.engine.points.reach(Point::AfterCommit);
        }
        // What has ended meanwhile stands behind those that were committed.
        let later = self.pending.split_off(txs.len());
        for (pending, result) in std::mem::replace(&mut self.pending, later)
            .into_iter()
            .zip(results)
        {
            self.settle(pending, result);
        }
        match claimed {
            None => {}
            Some(Claims::Evicted) => {
                self.engine.evicted();
                self.give_up_lost().await;
            }
            Some(Claims::Taken {
                owner,
                jobs,
                unusable_queues,
            }) => {
                if self.owner.as_ref() != Some(&owner) {
                    self.give_up_lost().await;
                }
                if !jobs.is_empty() {
                    self.engine.points.reach(Point::Claimed);
                }
                self.hungry = jobs.len() >= limit;
                self.ahead.extend(jobs.into_iter().map(|job| {
                    (
                        ClaimId {
                            owner: owner.clone(),
                            token: job.token,
                        },
                        job,
                    )
                }));
                self.report(unusable_queues);
            }
        }
    }

    /// Waits for the answer of a turn, and keeps the slots full meanwhile with what was claimed ahead, so that neither the store
    /// nor this process waits for the other.
    async fn fill_until(
        &mut self,
        mut answer: Pin<&mut impl Future<Output = Turn>>,
        stop: &Stop,
    ) -> Turn {
        let patience = Instant::now() + AHEAD_PATIENCE;
        // Slots may be free already. The request is on its way before they are filled.
        self.capsule.endings.wake();
        loop {
            let may_start = !self.ahead.is_empty() && Instant::now() < patience;
            if !may_start || stop.begun.is_cancelled() || self.engine.handle.is_quiet() {
                return answer.await;
            }
            let capsule = self.capsule.clone();
            tokio::select! {
                biased;
                turn = &mut answer => return turn,
                () = capsule.endings.arrived() => {}
            }
            let ended = capsule.endings.gather(capsule.slots.len()).await;
            self.collect(ended);
            self.fill_slots();
        }
    }

    fn settle(&mut self, pending: Pending, result: TxResult) {
        match result {
            TxResult::Applied => {}
            TxResult::Refused { by } if by > 0 => {
                tracing::info!(claim = ?pending.claim, "discarded: it was cancelled by a user, so it goes back to no place");
            }
            TxResult::Refused { .. } => {
                self.engine.observed().fenced.add(1);
                tracing::warn!(claim = ?pending.claim, "a late result was refused: this process was taken for dead, the job was given to another");
            }
            TxResult::Failed { error } => {
                let (first, longest) = FAILED_WAITS;
                let wait = match pending.wait {
                    Some(wait) => (wait * 2).min(longest),
                    None => {
                        let error = one_line(error);
                        tracing::error!(claim = ?pending.claim, %error, "the store could not take a result, it keeps its slot and is tried again: {error}");
                        first
                    }
                };
                self.failed.push(Failed {
                    pending: Pending {
                        wait: Some(wait),
                        ..pending
                    },
                    due: Instant::now() + wait,
                });
            }
        }
    }

    /// Says once which queues cannot be read, and once when that changes.
    fn report(&mut self, unusable: Vec<Arc<str>>) {
        if unusable != self.unusable {
            tracing::error!(queues = ?unusable, "queues that cannot be read (their keys hold something else); the others are served");
            self.unusable = unusable;
        }
    }

    /// An owner was evicted: what it held is, or will be, run by others. Results that it has already are committed all the same, to
    /// be refused and logged. What the owner that this process is now has claimed since
    /// then stays.
    async fn give_up_lost(&mut self) {
        let owner = self.engine.session.owner().await;
        let kept = |claim: &ClaimId| claim.owner == owner;
        self.capsule.slots.retain(kept);
        self.engine.given_up.notify_one();
        self.ahead.retain(|(claim, _)| kept(claim));
        self.owner = Some(owner.clone());
        self.hungry = true;
    }

    /// Waits for something to do.
    async fn rest(&mut self, stop: &Stop) {
        let hungry = self.room(&[]) > 0;
        if self.capsule.slots.len() == 0 {
            self.pace.idle();
        }
        let (engine, capsule) = (&self.engine, &self.capsule);
        let quieted = engine.handle.quieted();
        let due = self.failed.iter().map(|failed| failed.due).min();
        let (mut evicted, mut stale) = (false, false);
        tokio::select! {
            () = capsule.endings.arrived() => {}
            () = sleep(AHEAD_PATIENCE), if !self.ahead.is_empty() => stale = true,
            () = capsule.evicted.notified() => evicted = true,
            () = capsule.changed.notified() => {}
            () = stop.begun.cancelled() => {}
            () = quieted.cancelled(), if hungry => {}
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            () = engine.wait(&self.interest, LONGEST_SLEEP), if hungry => self.hungry = true,
            () = sleep(LONGEST_SLEEP), if !hungry => {}
        }
        if evicted {
            self.give_up_lost().await;
        }
        if stale {
            // What runs is slower than what came before it, so others may have free slots for these.
            self.pace.idle();
            self.hand_back_ahead().await;
            self.hungry = true;
        }
    }

    /// Prefetched jobs that were not started go back first: others can run them meanwhile.
    async fn hand_back_ahead(&mut self) {
        let ahead: Vec<_> = std::mem::take(&mut self.ahead).into();
        self.hand_back(ahead.iter().map(|(claim, claimed)| (claim, claimed, None)));
        if !self.pending.is_empty() {
            self.turn(0, None).await;
        }
    }

    async fn drain(&mut self) {
        // Those that were given up are settled, so nobody waits for them.
        while self.capsule.slots.len() + self.failed.len() > 0 || !self.pending.is_empty() {
            let ended = self.capsule.endings.gather(self.capsule.slots.len()).await;
            self.collect(ended);
            if !self.pending.is_empty() {
                self.turn(0, None).await;
                continue;
            }
            let due = self.failed.iter().map(|failed| failed.due).min();
            let mut evicted = false;
            tokio::select! {
                () = self.capsule.endings.arrived() => {}
                () = self.capsule.evicted.notified() => evicted = true,
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
            if evicted {
                self.give_up_lost().await;
            }
        }
    }

    /// Gives up what still runs, and hands it back once nothing of it runs any more.
    async fn interrupt(&mut self) {
        if self.capsule.slots.len() + self.failed.len() == 0 && self.pending.is_empty() {
            return;
        }
        self.capsule.slots.abort();
        self.engine.tasks.close();
        let over = async {
            self.engine.tasks.wait().await;
            self.capsule.slots.idle().await;
        };
        let _ = timeout(ABORT_GRACE, over).await;
        self.engine.points.reach(Point::Stopping);
        // Some may have ended while they were being stopped.
        let ended = self.capsule.endings.gather(0).await;
        self.collect(ended);
        self.pending
            .extend(self.failed.drain(..).map(|failed| failed.pending));
        let left = self.capsule.slots.take();
        if !left.is_empty() {
            self.engine.observed().interrupted.add(left.len());
            tracing::info!(
                jobs = left.len(),
                "handed {} unfinished jobs back to their queues",
                left.len()
            );
        }
        self.hand_back(left.iter().map(|running| {
            let checkpoints = Some(running.checkpoints.as_ref());
            (&running.claim, &running.claimed, checkpoints)
        }));
        self.turn(0, None).await;
    }

    /// Adds what puts these back, from last to first, each to the head of its queue: so they stand in their order in the end.
    fn hand_back<'a>(
        &mut self,
        jobs: impl DoubleEndedIterator<Item = (&'a ClaimId, &'a Claimed, Option<&'a Checkpoints>)>,
    ) {
        for (claim, claimed, checkpoints) in jobs.rev() {
            let finished = Finished {
                claim: claim.clone(),
                claimed,
                record: None,
                definition: None,
                checkpoints,
            };
            let tx = finish::settle(&self.engine, finished, &Ending::HandedBack).tx;
            self.pending.push(Pending {
                claim: claim.clone(),
                tx,
                wait: None,
            });
        }
    }
}

impl Drop for Fetch {
    /// A server that is dropped gives up what runs. Every job's task holds the engine, so the slots would outlive it.
    fn drop(&mut self) {
        drop(self.capsule.slots.take());
    }
}
