//! This process towards the store: its owner id, its sequence of claims, and which claims it knows.
//!
//! Claims, takeovers and renewals go through one lock, held until the store has answered: so at most one of them is in
//! flight, and a renewal's count of claims can be compared with what is known here.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};

use super::insist::{Away, CommitLane};
use crate::store::{
    Claim, ClaimId, ClaimRequest, Claimed, Guard, Owner, Registration, Renewed, Source, Standing,
    Store, Token, Tx, TxResult, Unavailable,
};

#[derive(Debug)]
pub(super) struct Session {
    store: Arc<dyn Store>,
    away: Arc<Away>,
    lease: Duration,
    state: Mutex<State>,
    /// The owner that this process is now, for those who do not want to wait for the store.
    owner: watch::Sender<Owner>,
}

#[derive(Debug)]
struct State {
    owner: Owner,
    registration: Registration,
    seq: u64,
    lane: CommitLane,
    known: HashSet<Token>,
    /// How many renewals in a row counted other claims than are known.
    astray: u32,
}

/// What a turn came to.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) results: Vec<TxResult>,
    pub(super) claimed: Option<Claims>,
}

/// What a claim came to.
#[derive(Debug)]
pub(super) enum Claims {
    Taken {
        owner: Owner,
        jobs: Vec<Claimed>,
        unusable_queues: Vec<Arc<str>>,
    },
    /// The owner was evicted; the session has a new one, and none of the old one's claims counts any more.
    Evicted,
}

/// What a renewal came to.
#[derive(Debug)]
pub(super) struct Beat {
    pub(super) renewed: Renewed,
    pub(super) evicted: bool,
    /// The owner's claims that nobody here knows.
    pub(super) unknown: Vec<(ClaimId, Claimed)>,
}

/// How many renewals in a row must count other claims than are known before those are looked up: one may fall between a lost connection
/// and its repeat.
const ASTRAY_BEATS: u32 = 2;

/// How many unknown claims one beat looks up.
const UNKNOWN_PAGE: usize = 1_000;

impl Session {
    pub(super) fn new(store: Arc<dyn Store>, away: Arc<Away>, lease: Duration) -> Self {
        let state = State::new();
        Self {
            store,
            away,
            lease,
            owner: watch::Sender::new(state.owner.clone()),
            state: Mutex::new(state),
        }
    }

    /// Registers the first owner.
    pub(super) async fn start(&self) -> Result<Renewed, Unavailable> {
        let mut state = self.state.lock().await;
        let renewed = self
            .store
            .renew(&state.owner, self.lease, Registration::First)
            .await?;
        state.registration = Registration::Known;
        Ok(renewed)
    }

    /// Commits, and claims where `limit` is not zero, in one round trip, until there is an answer.
    ///
    /// # Cancel safety
    /// Dropped before the answer, the commit and the claim may have happened. The transactions can be committed again, since
    /// each holds a claim; claims that were made are found by a later beat.
    pub(super) async fn turn(&self, txs: &[Tx], sources: Vec<Source>, limit: usize) -> Turn {
        let mut state = self.state.lock().await;
        let state = &mut *state;
        let request = (limit > 0).then(|| state.next_request(sources, limit));
        let waits = request.as_ref().map(|_| self.away.trips().claim());
        // The lane is away while its batch is: a turn that is dropped leaves a new lane behind, so that its sequence number
        // is not used for another batch.
        let mut lane = std::mem::replace(&mut state.lane, CommitLane::new());
        let mut results = Vec::new();
        let mut claim = None;
        if txs.is_empty() {
            if let Some(request) = &request {
                claim = Some(self.away.insist(|| self.store.claim(request)).await);
            }
        } else if let Some(request) = &request {
            loop {
                let batch = lane.batch(txs.to_vec());
                let (commit, claimed) = self.away.insist(|| self.store.turn(&batch, request)).await;
                claim = Some(claimed);
                if let Some(settled) = lane.settle(commit) {
                    results = settled;
                    break;
                }
            }
        } else {
            results = lane
                .commit(self.store.as_ref(), &self.away, txs.to_vec())
                .await;
        }
        drop(waits);
        state.lane = lane;
        state.forget(txs, &results);
        let claimed = match (request, claim) {
            (Some(request), Some(claim)) => Some(self.take(state, request, claim).await),
            _ => None,
        };
        Turn { results, claimed }
    }

    /// Takes over some claims of an owner whose lease ran out.
    pub(super) async fn take_over(&self, from: &Owner, limit: usize) -> Claims {
        let mut state = self.state.lock().await;
        let state = &mut *state;
        let request = state.next_request(Vec::new(), limit);
        let claim = self
            .away
            .insist(|| {
                self.store
                    .take_over(&request.owner, request.seq, from, limit)
            })
            .await;
        self.take(state, request, claim).await
    }

    /// The owner that this process is now.
    pub(super) async fn owner(&self) -> Owner {
        self.state.lock().await.owner.clone()
    }

    /// Tells of the owner that this process is, and of each that it becomes.
    pub(super) fn owners(&self) -> watch::Receiver<Owner> {
        self.owner.subscribe()
    }

    /// Renews the lease, and looks for claims that nobody knows: those whose answer was lost for good, or that a store which
    /// went back in time has brought back.
    pub(super) async fn beat(&self) -> Beat {
        let mut state = self.state.lock().await;
        let state = &mut *state;
        let mut renewed = self.renew(state, self.lease).await;
        let evicted = renewed.standing == Standing::Evicted;
        if evicted {
            renewed = self.begin_anew(state).await;
        }
        state.astray = if usize::try_from(renewed.held) == Ok(state.known.len()) {
            0
        } else {
            state.astray + 1
        };
        let unknown = if state.astray >= ASTRAY_BEATS {
            self.unknown(state).await
        } else {
            Vec::new()
        };
        Beat {
            renewed,
            evicted,
            unknown,
        }
    }

    /// Gives the lease up, so that what is left is taken over at once.
    pub(super) async fn leave(&self) -> Result<(), Unavailable> {
        let state = self.state.lock().await;
        self.store
            .renew(&state.owner, Duration::ZERO, Registration::Known)
            .await
            .map(|_| ())
    }

    async fn take(&self, state: &mut State, request: ClaimRequest, claim: Claim) -> Claims {
        match claim {
            Claim::Taken {
                jobs,
                unusable_queues,
            } => {
                state.known.extend(jobs.iter().map(|job| job.token));
                Claims::Taken {
                    owner: request.owner,
                    jobs,
                    unusable_queues,
                }
            }
            // Stale would mean that another process counts for this owner. Either way the old id is of no use.
            Claim::Evicted | Claim::Stale => {
                self.begin_anew(state).await;
                Claims::Evicted
            }
        }
    }

    async fn begin_anew(&self, state: &mut State) -> Renewed {
        let lost = state.known.len();
        *state = State::new();
        self.owner.send_replace(state.owner.clone());
        let renewed = self.renew(state, self.lease).await;
        tracing::warn!(owner = %state.owner, lost, "this process was taken for dead: {lost} claims were lost, going on as a new owner");
        renewed
    }

    async fn renew(&self, state: &mut State, lease: Duration) -> Renewed {
        let renewed = self
            .away
            .insist(|| self.store.renew(&state.owner, lease, state.registration))
            .await;
        state.registration = Registration::Known;
        renewed
    }

    async fn unknown(&self, state: &mut State) -> Vec<(ClaimId, Claimed)> {
        let claims = self
            .away
            .insist(|| {
                self.store
                    .claims(&state.owner, state.known.len() + UNKNOWN_PAGE)
            })
            .await;
        let unknown: Vec<_> = claims
            .into_iter()
            .filter(|claim| !state.known.contains(&claim.token))
            .take(UNKNOWN_PAGE)
            .collect();
        state.known.extend(unknown.iter().map(|claim| claim.token));
        let owner = state.owner.clone();
        unknown
            .into_iter()
            .map(|claim| {
                (
                    ClaimId {
                        owner: owner.clone(),
                        token: claim.token,
                    },
                    claim,
                )
            })
            .collect()
    }

    /// Knows these claims no more: they are settled, or, where they could not be, a later beat finds them again as unknown.
    pub(super) async fn disown<'a>(&self, claims: impl IntoIterator<Item = &'a ClaimId> + Send) {
        let mut state = self.state.lock().await;
        for claim in claims {
            if claim.owner == state.owner {
                state.known.remove(&claim.token);
            }
        }
    }
}

impl State {
    fn new() -> Self {
        Self {
            owner: Owner::random(),
            registration: Registration::First,
            seq: 0,
            lane: CommitLane::new(),
            known: HashSet::new(),
            astray: 0,
        }
    }

    /// The next of the sequence, which it goes on to at once: a call that is dropped has used its number up.
    fn next_request(&mut self, sources: Vec<Source>, limit: usize) -> ClaimRequest {
        self.seq += 1;
        ClaimRequest {
            owner: self.owner.clone(),
            seq: self.seq,
            sources,
            limit,
        }
    }

    /// A claim whose transaction was applied is over; one that was refused was not held any more. One that failed is still held.
    fn forget(&mut self, txs: &[Tx], results: &[TxResult]) {
        for (tx, result) in txs.iter().zip(results) {
            if let Some(Guard::Holds(claim)) = tx.when.first()
                && !matches!(result, TxResult::Failed { .. })
                && claim.owner == self.owner
            {
                self.known.remove(&claim.token);
            }
        }
    }
}
