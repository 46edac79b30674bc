//! The jobs that run: kept by the loop that fills the slots, looked at by whoever shows them or gives them up.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::execute::{Executed, Running};
use crate::job::checkpoint::Checkpoints;
use crate::job::{Cancel, CancelReason, Timestamp};
use crate::store::{ClaimId, Claimed};

/// How many orders to cancel are remembered for jobs that have not started.
const MOST_UNSTARTED: usize = 1_000;

/// The jobs that run.
#[derive(Debug, Default)]
pub(super) struct Slots(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    running: HashMap<ClaimId, Running>,
    /// Given up, and something of them still runs: their slots are not free.
    lingering: HashMap<ClaimId, Lingering>,
    /// Cancelled before they had a slot, or when they had none any more.
    unstarted: BTreeSet<ClaimId>,
    /// Given up, for [`Slots::given_up`].
    lost: Vec<GivenUp>,
}

#[derive(Debug)]
struct Lingering {
    claimed: Claimed,
    since: Timestamp,
    /// Whether it did not stop in time, so that a spare slot stands in for its own.
    stuck: bool,
}

/// A job that runs, as others see it.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) claim: ClaimId,
    pub(super) claimed: Claimed,
    pub(super) since: Timestamp,
    /// Whether it was given up and does not stop.
    pub(super) stuck: bool,
}

/// An execution that was given up, and of which nobody else will say how it ended.
#[derive(Debug)]
pub(super) struct GivenUp {
    pub(super) claim: ClaimId,
    pub(super) claimed: Claimed,
    pub(super) since: Timestamp,
    pub(super) start: std::time::Instant,
    pub(super) cancel: Cancel,
    pub(super) task: AbortHandle,
    pub(super) checkpoints: Arc<Checkpoints>,
}

impl Slots {
    /// How many jobs run that were not given up for good.
    pub(super) fn len(&self) -> usize {
        self.lock().running.len()
    }

    /// How many slots are in use once these are removed, where so many spare ones may stand in for those of stuck jobs.
    pub(super) fn occupied(&self, spares: usize, ended: &[Executed]) -> usize {
        let state = self.lock();
        let running = state.running.len();
        if state.lingering.is_empty() {
            return running.saturating_sub(ended.len());
        }
        let lingering = state.lingering.iter();
        // Until its end is committed, one that is stuck stands among those that run as well.
        let alone = lingering.filter(|(claim, _)| !state.running.contains_key(*claim));
        let stuck = state.lingering.values().filter(|one| one.stuck).count();
        let keeps = |one: &&Executed| state.lingering.contains_key(&one.claim);
        let freed = ended.len() - ended.iter().filter(keeps).count();
        (running + alone.count()).saturating_sub(stuck.min(spares) + freed)
    }

    /// Whether it was cancelled before.
    pub(super) fn insert(&self, claim: ClaimId, running: Running) -> bool {
        let mut state = self.lock();
        let cancelled = !state.unstarted.is_empty() && state.unstarted.remove(&claim);
        if cancelled {
            running.cancel.give_up(CancelReason::User);
        }
        state.running.insert(claim, running);
        cancelled
    }

    pub(super) fn remove(&self, claim: &ClaimId) -> Option<Running> {
        self.lock().running.remove(claim)
    }

    /// Tells a job that it is cancelled: now, or when it starts.
    pub(super) fn cancel(&self, claim: ClaimId) {
        let mut state = self.lock();
        if let Some(running) = state.running.get(&claim) {
            running.cancel.give_up(CancelReason::User);
            return;
        }
        state.unstarted.insert(claim);
        if state.unstarted.len() > MOST_UNSTARTED {
            // The claims of one owner are ordered by their age.
            state.unstarted.pop_first();
        }
    }

    /// Gives up those that are not to be kept, and tells them.
    pub(super) fn retain(&self, kept: impl Fn(&ClaimId) -> bool) {
        let mut state = self.lock();
        let State {
            running,
            lingering,
            unstarted,
            lost,
        } = &mut *state;
        unstarted.retain(&kept);
        for (claim, running) in running.extract_if(|claim, _| !kept(claim)) {
            running.cancel.give_up(CancelReason::LeaseLost);
            if running.cancel.conclude() {
                let given_up = GivenUp::of(&running);
                lingering.insert(claim, given_up.lingering(false));
                lost.push(given_up);
            }
        }
    }

    /// Those that were given up so long ago that they should have ended, or that were lost, each once; jobs that have run too long
    /// are told so. Also whether there are others that were given up, or can be for their time.
    pub(super) fn given_up(&self, grace: impl Fn(&Cancel) -> Duration) -> (Vec<GivenUp>, bool) {
        let mut state = self.lock();
        let mut given_up = std::mem::take(&mut state.lost);
        let now = Instant::now();
        let mut more = false;
        for running in state.running.values() {
            let cancel = &running.cancel;
            if cancel.deadline().is_some_and(|deadline| deadline <= now) {
                cancel.give_up(CancelReason::Timeout);
            }
            match cancel.since() {
                Some(since) if now.duration_since(since) >= grace(cancel) => {
                    // Whoever says how it ended comes first: one that is just doing so is left alone.
                    if cancel.conclude() {
                        running.task.abort();
                        given_up.push(GivenUp::of(running));
                    }
                }
                since => more |= since.is_some(),
            }
        }
        (given_up, more)
    }

    /// Whether the claim is ours as far as is known, and its end not committed.
    pub(super) fn holds(&self, claim: &ClaimId) -> bool {
        self.lock().running.contains_key(claim)
    }

    /// Takes note that something of it still runs, and will for long.
    pub(super) fn mark_stuck(&self, given_up: &GivenUp) {
        let stuck = given_up.lingering(true);
        self.lock().lingering.insert(given_up.claim.clone(), stuck);
    }

    /// Nothing of it runs any more.
    pub(super) fn ended(&self, claim: &ClaimId) {
        self.lock().lingering.remove(claim);
    }

    /// Tells all of them that they are given up. They stay until they are taken.
    pub(super) fn abort(&self) {
        for running in self.lock().running.values() {
            // One that returns as soon as it is told is handed back as the others are.
            running.cancel.conclude();
            running.cancel.give_up(CancelReason::Shutdown);
            running.task.abort();
        }
    }

    /// Completes when no function of those that run is left on the blocking pool.
    pub(super) async fn idle(&self) {
        let running = self
            .lock()
            .running
            .values()
            .map(|one| one.cancel.clone())
            .collect::<Vec<_>>();
        for cancel in running {
            cancel.idle().await;
        }
    }

    /// Takes all of them, in the order in which they were claimed.
    pub(super) fn take(&self) -> Vec<Running> {
        let mut state = self.lock();
        let mut all: Vec<_> = state.running.drain().map(|(_, running)| running).collect();
        all.sort_by(|a, b| a.claim.cmp(&b.claim));
        all
    }

    /// What runs, the oldest first.
    pub(super) fn work(&self) -> Vec<Work> {
        let state = self.lock();
        let stuck = state.lingering.iter().filter(|(_, one)| one.stuck);
        let mut all: Vec<_> = stuck
            .map(|(claim, one)| Work {
                claim: claim.clone(),
                claimed: one.claimed.clone(),
                since: one.since,
                stuck: true,
            })
            .collect();
        let running = state.running.iter();
        let sound = running.filter(|(claim, _)| !state.lingering.contains_key(*claim));
        all.extend(sound.map(|(claim, running)| Work {
            claim: claim.clone(),
            claimed: running.claimed.clone(),
            since: running.since,
            stuck: false,
        }));
        all.sort_by(|a, b| (a.since, &a.claim).cmp(&(b.since, &b.claim)));
        all
    }

    /// How many jobs run, those included that are stuck, and how many of them are.
    pub(super) fn counts(&self) -> (usize, usize) {
        let state = self.lock();
        let stuck: Vec<_> = state
            .lingering
            .iter()
            .filter(|(_, one)| one.stuck)
            .collect();
        let alone = stuck
            .iter()
            .filter(|(claim, _)| !state.running.contains_key(*claim));
        (state.running.len() + alone.count(), stuck.len())
    }

    /// Nothing that holds the lock can panic half-way.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GivenUp {
    fn of(running: &Running) -> Self {
        Self {
            claim: running.claim.clone(),
            claimed: running.claimed.clone(),
            since: running.since,
            start: running.start,
            cancel: running.cancel.clone(),
            checkpoints: running.checkpoints.clone(),
            task: running.task.clone(),
        }
    }

    fn lingering(&self, stuck: bool) -> Lingering {
        Lingering {
            claimed: self.claimed.clone(),
            since: self.since,
            stuck,
        }
    }

    /// Whether nothing of it runs any more. Its task first: once that has ended, no function begins.
    pub(super) fn is_over(&self) -> bool {
        self.task.is_finished() && self.cancel.is_idle()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::job::checkpoint::Memory;
    use crate::store::{Owner, Token, Tx};

    fn running(owner: &Owner, n: u64) -> Running {
        let claim = ClaimId {
            owner: owner.clone(),
            token: Token::new(1, n),
        };
        Running {
            claimed: Claimed {
                token: claim.token,
                queue: "default".into(),
                recoveries: 0,
                payload: "{}".into(),
            },
            claim,
            since: Timestamp::from_micros(1),
            start: Instant::now(),
            cancel: Cancel::default(),
            checkpoints: Arc::new(Checkpoints::new(Memory)),
            task: tokio::spawn(std::future::pending::<()>()).abort_handle(),
        }
    }

    fn insert(slots: &Slots, running: Running) -> (ClaimId, Cancel) {
        let (claim, cancel) = (running.claim.clone(), running.cancel.clone());
        slots.insert(claim.clone(), running);
        (claim, cancel)
    }

    #[tokio::test]
    async fn a_job_that_is_cancelled_before_it_has_a_slot_is_told_when_it_has_one() {
        let (slots, owner) = (Slots::default(), Owner::random());
        let late = running(&owner, 0);
        slots.cancel(late.claim.clone());
        assert_eq!(insert(&slots, late).1.reason(), Some(CancelReason::User));
        let (claim, other) = insert(&slots, running(&owner, 1));
        assert_eq!(other.reason(), None);
        slots.cancel(claim);
        assert_eq!(other.reason(), Some(CancelReason::User));
    }

    #[tokio::test]
    async fn orders_for_jobs_that_do_not_come_are_bounded() {
        let (slots, owner) = (Slots::default(), Owner::random());
        let claim = |n| ClaimId {
            owner: owner.clone(),
            token: Token::new(1, n),
        };
        let most = MOST_UNSTARTED as u64;
        (0..=most).for_each(|n| slots.cancel(claim(n)));
        assert_eq!(slots.lock().unstarted.len(), MOST_UNSTARTED);
        assert_eq!(insert(&slots, running(&owner, 0)).1.reason(), None);
        let newest = insert(&slots, running(&owner, most)).1;
        assert_eq!(newest.reason(), Some(CancelReason::User));
    }

    #[tokio::test]
    async fn one_that_is_given_up_is_seen_to_once_and_only_by_one() {
        let (slots, owner) = (Slots::default(), Owner::random());
        let (claim, cancel) = insert(&slots, running(&owner, 0));
        assert!(matches!(&slots.given_up(|_| Duration::ZERO), (none, false) if none.is_empty()));
        cancel.give_up(CancelReason::User);
        let hour = Duration::from_secs(3_600);
        assert!(matches!(&slots.given_up(|_| hour), (none, true) if none.is_empty()));
        assert_eq!(slots.given_up(|_| Duration::ZERO).0.len(), 1);
        assert_eq!(slots.given_up(|_| Duration::ZERO).0.len(), 0);
        slots.remove(&claim);
        // One that has just said how it ended is left alone.
        let (_, cancel) = insert(&slots, running(&owner, 1));
        cancel.give_up(CancelReason::User);
        assert!(cancel.conclude());
        assert_eq!(slots.given_up(|_| Duration::ZERO).0.len(), 0);
    }

    #[tokio::test]
    async fn stuck_jobs_have_spare_slots_up_to_a_bound() {
        let (slots, owner) = (Slots::default(), Owner::random());
        for n in 0..3 {
            insert(&slots, running(&owner, n))
                .1
                .give_up(CancelReason::Timeout);
        }
        let (given_up, _) = slots.given_up(|_| Duration::ZERO);
        assert_eq!(slots.occupied(2, &[]), 3);
        given_up.iter().for_each(|one| slots.mark_stuck(one));
        let ended = |claim: &ClaimId| Executed {
            claim: claim.clone(),
            tx: Tx::default(),
            took: Duration::ZERO,
        };
        let all: Vec<_> = given_up.iter().map(|one| ended(&one.claim)).collect();
        assert_eq!(slots.occupied(2, &all), 1, "their ends free no slot");
        assert_eq!((slots.occupied(2, &[]), slots.counts()), (1, (3, 3)));
        for one in &given_up {
            slots.remove(&one.claim);
            assert_eq!((slots.occupied(2, &[]), slots.counts()), (1, (3, 3)));
        }
        assert!(slots.work().iter().all(|work| work.stuck));
        for (left, one) in [(2, 0), (1, 0), (0, 0)].into_iter().zip(&given_up) {
            slots.ended(&one.claim);
            assert_eq!((slots.counts().1, slots.occupied(2, &[])), left);
        }
    }

    #[tokio::test]
    async fn those_whose_claim_is_lost_keep_their_slots_until_they_have_ended() {
        let (slots, owner) = (Slots::default(), Owner::random());
        let (claim, cancel) = insert(&slots, running(&owner, 0));
        slots.retain(|_| false);
        assert_eq!(cancel.reason(), Some(CancelReason::LeaseLost));
        assert_eq!((slots.len(), slots.occupied(9, &[])), (0, 1));
        let (lost, _) = slots.given_up(|_| Duration::ZERO);
        assert_eq!(lost.len(), 1);
        assert!(slots.given_up(|_| Duration::ZERO).0.is_empty());
        while !lost[0].is_over() {
            tokio::task::yield_now().await;
        }
        slots.ended(&claim);
        assert_eq!(slots.occupied(9, &[]), 0);
    }

    #[tokio::test]
    async fn one_that_lost_its_claim_is_not_held_whatever_it_was_given_up_for_before() {
        let (slots, owner) = (Slots::default(), Owner::random());
        for reason in [CancelReason::Timeout, CancelReason::User] {
            let (claim, cancel) = insert(&slots, running(&owner, 0));
            cancel.give_up(reason);
            assert!(slots.holds(&claim));
            slots.retain(|_| false);
            assert_eq!(cancel.reason(), Some(reason), "the first one counts");
            assert_eq!(slots.given_up(|_| Duration::ZERO).0.len(), 1);
            assert!(!slots.holds(&claim), "others say how it ended");
        }
    }
}
