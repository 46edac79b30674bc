//! The way between the processes and the store, which loses calls, loses answers, and delivers late.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use sancho::job::Timestamp;
use sancho::store::{
    Batch, Claim, ClaimRequest, Commit, Owner, Registration, Renewed, Store, Unavailable,
};
use sancho_tests::{Clock, LEASE};

use super::ledger::{Ledger, Verdict};

/// A call to the store.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Commit(Batch),
    Claim(ClaimRequest),
    Turn(Batch, ClaimRequest),
    TakeOver {
        owner: Owner,
        seq: u64,
        from: Owner,
        limit: usize,
    },
    Renew {
        owner: Owner,
        registration: Registration,
    },
}

/// What the store said.
#[derive(Debug)]
pub(super) enum Reply {
    Commit(Commit),
    Claim(Claim),
    Turn(Commit, Claim),
    Renewed(Renewed),
}

/// A call on its way: the bytes of a dead connection.
struct Late {
    at: Timestamp,
    store: Arc<dyn Store>,
    call: Call,
}

pub(super) struct Network {
    pub(super) rng: Rng,
    pub(super) ledger: Ledger,
    pub(super) is_faulty: bool,
    clock: Clock,
    late: Vec<Late>,
    lost_calls: usize,
    lost_answers: usize,
    zombies: usize,
}

impl Network {
    pub(super) fn new(seed: u64, clock: Clock) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            ledger: Ledger::default(),
            is_faulty: true,
            clock,
            late: Vec::new(),
            lost_calls: 0,
            lost_answers: 0,
            zombies: 0,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether something happens that has this many chances in a thousand.
    pub(super) fn chance(&mut self, in_a_thousand: u32) -> bool {
        self.rng.u32(0..1_000) < in_a_thousand
    }

    pub(super) fn has_late_calls(&self) -> bool {
        !self.late.is_empty()
    }

    /// Lets time pass, and what is due by then arrive.
    pub(super) async fn pass(&mut self, time: Duration) {
        self.clock.advance(time);
        let now = self.now();
        let due: Vec<_> = self.late.extract_if(.., |late| late.at <= now).collect();
        for late in due {
            self.zombies += 1;
            self.deliver(&*late.store, &late.call)
                .await
                .expect("the store answers");
        }
    }

    /// Makes a call; `None` where no answer comes.
    pub(super) async fn send(&mut self, store: &Arc<dyn Store>, call: &Call) -> Option<Reply> {
        let fate = if self.is_faulty {
            self.rng.u32(0..1_000)
        } else {
            u32::MAX
        };
        match fate {
            0..50 => {
                self.lost_calls += 1;
                None
            }
            50..120 => {
                self.lost_answers += 1;
                self.deliver(&**store, call)
                    .await
                    .expect("the store answers");
                None
            }
            120..150 => {
                let delay = self.rng.u64(0..3 * LEASE.as_secs() * 1_000);
                let at = self.now().after(Duration::from_millis(delay));
                self.late.push(Late {
                    at,
                    store: Arc::clone(store),
                    call: call.clone(),
                });
                None
            }
            _ => Some(
                self.deliver(&**store, call)
                    .await
                    .expect("the store answers"),
            ),
        }
    }

    async fn deliver(&mut self, store: &dyn Store, call: &Call) -> Result<Reply, Unavailable> {
        Ok(match call {
            Call::Commit(batch) => {
                let commit = store.commit(batch).await?;
                self.ledger.witness(batch, &commit);
                Reply::Commit(commit)
            }
            Call::Claim(request) => Reply::Claim(store.claim(request).await?),
            Call::Turn(batch, request) => {
                let (commit, claim) = store.turn(batch, request).await?;
                self.ledger.witness(batch, &commit);
                Reply::Turn(commit, claim)
            }
            Call::TakeOver {
                owner,
                seq,
                from,
                limit,
            } => Reply::Claim(store.take_over(owner, *seq, from, *limit).await?),
            Call::Renew {
                owner,
                registration,
            } => Reply::Renewed(store.renew(owner, LEASE, *registration).await?),
        })
    }

    pub(super) fn into_verdict(self) -> Verdict {
        let mut verdict = self.ledger.into_verdict();
        verdict.lost_calls = self.lost_calls;
        verdict.lost_answers = self.lost_answers;
        verdict.zombies = self.zombies;
        verdict
    }
}
