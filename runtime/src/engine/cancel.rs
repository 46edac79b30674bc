//! Obeying orders to cancel jobs that this process has claimed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Engine;
use super::insist::CommitLane;
use crate::job::one_line;
use crate::store::{ClaimId, Effect, Interest, Owner, Token, Tx, keys};

/// How long it waits at most for an order: a belt for wake-ups that are lost.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

pub(super) struct Cancelling {
    engine: Arc<Engine>,
    lane: CommitLane,
    interest: Interest,
    owners: watch::Receiver<Owner>,
}

impl Cancelling {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self {
            owners: engine.session.owners(),
            engine,
            lane: CommitLane::new(),
            interest: Interest::lists(),
        }
    }

    /// Runs until the process has left, which is later than when it begins to stop: its jobs are still running.
    pub(super) async fn run(mut self, left: CancellationToken) {
        let engine = self.engine.clone();
        loop {
            let owner = self.owners.borrow_and_update().clone();
            if left.run_until_cancelled(self.step(&owner)).await.is_none() {
                return;
            }
            tokio::select! {
                () = left.cancelled() => return,
                // What a new owner is told stands elsewhere. The engine keeps the sender.
                _ = self.owners.changed() => {}
                () = engine.wait(&self.interest, LONGEST_SLEEP) => {}
            }
        }
    }

    async fn step(&mut self, owner: &Owner) {
        let key = keys::orders(owner);
        let (store, away) = (self.engine.store.clone(), self.engine.away.clone());
        let orders = away.insist(|| store.list(&key)).await;
        if orders.is_empty() {
            return;
        }
        for order in &orders {
            self.obey(owner, order);
        }
        let strike = |item: &Bytes| Effect::Strike {
            key: key.clone(),
            item: item.clone(),
        };
        let strikes = Tx::always(orders.iter().map(strike).collect());
        self.lane.commit(store.as_ref(), &away, vec![strikes]).await;
    }

    /// Obeying twice is as obeying once.
    fn obey(&self, owner: &Owner, order: &Bytes) {
        let token = std::str::from_utf8(order)
            .ok()
            .and_then(|text| text.parse().ok());
        let Some(token) = token else {
            let order = String::from_utf8_lossy(order);
            tracing::warn!("an order to cancel names no claim: {}", one_line(order));
            return;
        };
        // The capsule that runs it is told now; the others, or the one whose it will be, take note of it.
        for capsule in self.engine.handle.states() {
            capsule.slots.cancel(ClaimId {
                owner: owner.clone(),
                token: Token::from_number(token),
            });
        }
        self.engine.given_up.notify_one();
    }
}

/// What tells the owner of this claim to cancel its job.
pub(crate) fn order(claim: &ClaimId, ttl: Duration) -> Effect {
    Effect::Append {
        key: keys::orders(&claim.owner),
        item: claim.token.as_number().to_string().into(),
        ttl,
    }
}
