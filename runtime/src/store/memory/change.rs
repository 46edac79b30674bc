//! Transactions.

use bytes::Bytes;

use super::{Data, Receipt, Timed};
use crate::job::Timestamp;
use crate::store::wake::Wake;
use crate::store::{
    Batch, ClaimId, Commit, Effect, End, Guard, InterestKind, Members, Place, PlaceName,
    RECEIPT_TTL, Stat, TimedSet, Tx, TxResult,
};

impl Data {
    pub(super) fn commit(&mut self, batch: &Batch, now: Timestamp, wake: &Wake) -> Commit {
        self.receipts.retain(|_, receipt| receipt.expires > now);
        self.notes.purge(now);
        match self.receipts.get(&batch.lane) {
            Some(receipt) if receipt.seq == batch.seq => {
                return Commit::Done(receipt.results.clone());
            }
            Some(receipt) if receipt.seq > batch.seq => return Commit::Stale,
            _ => {}
        }
        let results: Vec<_> = batch
            .txs
            .iter()
            .map(|tx| self.apply(tx, now, wake))
            .collect();
        let receipt = Receipt {
            seq: batch.seq,
            results: results.clone(),
            expires: now.after(RECEIPT_TTL),
        };
        self.receipts.insert(batch.lane.clone(), receipt);
        Commit::Done(results)
    }

    fn apply(&mut self, tx: &Tx, now: Timestamp, wake: &Wake) -> TxResult {
        debug_assert!(tx.is_well_ordered(), "effects are out of order: {tx:?}");
        let refused = tx.when.iter().position(|guard| !self.holds(guard, now));
        for effect in if refused.is_none() {
            &tx.then
        } else {
            &tx.otherwise
        } {
            self.effect(effect, now, wake);
        }
        refused.map_or(TxResult::Applied, |by| TxResult::Refused { by })
    }

    fn holds(&self, guard: &Guard, now: Timestamp) -> bool {
        match guard {
            Guard::Holds(ClaimId { owner, token }) => self
                .owners
                .get(owner)
                .is_some_and(|owner| owner.claims.contains_key(token)),
            Guard::Contains(PlaceName::Queue(name), payload) => self
                .queues
                .get(name)
                .is_some_and(|queue| queue.contains(payload)),
            Guard::Contains(PlaceName::Timed(set), payload) => self
                .timed
                .get(set)
                .is_some_and(|timed| timed.times.contains_key(payload)),
            Guard::Absent(key) => self.notes.is_absent(key, now),
            Guard::AbsentField(key, field) => self.notes.field(key, field, now).is_none(),
            Guard::EqualsField(key, field, value) => {
                self.notes.field(key, field, now) == Some(value)
            }
        }
    }

    fn effect(&mut self, effect: &Effect, now: Timestamp, wake: &Wake) {
        match effect {
            Effect::Put(payload, place) => self.put(payload, place, wake),
            Effect::Take(place, payload) => self.take(place, payload),
            Effect::Release(ClaimId { owner, token }) => {
                if let Some(registered) = self.owners.get_mut(owner) {
                    registered.claims.remove(token);
                }
            }
            Effect::Count(stat, n) => self.count(*stat, *n, now),
            Effect::Join(set, member) => {
                self.members
                    .entry(*set)
                    .or_default()
                    .insert(member.to_string());
            }
            Effect::Leave(set, member) => {
                self.members.entry(*set).or_default().remove(&**member);
                if *set == Members::Paused {
                    wake.changed(InterestKind::Queues);
                }
            }
            Effect::Reset(stat) => _ = self.counters.remove(&(*stat, None)),
            Effect::Clear(PlaceName::Queue(name)) => _ = self.queues.remove(name),
            Effect::Clear(PlaceName::Timed(set)) => _ = self.timed.remove(set),
            Effect::Trim { set, before, keep } => {
                self.timed.entry(*set).or_default().trim(*before, *keep);
            }
            Effect::Unset(_)
            | Effect::Set { .. }
            | Effect::SetFields { .. }
            | Effect::AddFields { .. }
            | Effect::Observe { .. }
            | Effect::Append { .. }
            | Effect::Strike { .. } => {
                self.notes.change(effect, now);
                if let Effect::Append { .. } = effect {
                    wake.changed(InterestKind::Lists);
                }
            }
        }
    }

    fn take(&mut self, place: &PlaceName, payload: &Bytes) {
        match place {
            PlaceName::Queue(name) => {
                if let Some(queue) = self.queues.get_mut(name)
                    && let Some(index) = queue.iter().rposition(|waiting| waiting == payload)
                {
                    queue.remove(index);
                }
            }
            PlaceName::Timed(set) => self.timed.entry(*set).or_default().remove(payload),
        }
    }

    fn put(&mut self, payload: &Bytes, place: &Place, wake: &Wake) {
        match place {
            Place::Queue { name, end } => {
                let queue = self.queues.entry(name.clone()).or_default();
                match end {
                    End::Head => queue.push_front(payload.clone()),
                    End::Tail => queue.push_back(payload.clone()),
                }
                self.members
                    .entry(Members::Queues)
                    .or_default()
                    .insert(name.to_string());
                wake.changed(InterestKind::Queues);
            }
            Place::Timed { set, at } => {
                self.timed
                    .entry(*set)
                    .or_default()
                    .put(payload.clone(), *at);
                wake.changed(InterestKind::Timed);
            }
        }
    }

    fn count(&mut self, stat: Stat, n: u64, now: Timestamp) {
        let day = chrono::DateTime::from(now).format("%Y-%m-%d").to_string();
        for key in [None, Some(day)] {
            *self.counters.entry((stat, key)).or_default() += n;
        }
    }

    pub(super) fn timed(&self, set: TimedSet) -> impl Iterator<Item = &(Timestamp, Bytes)> {
        self.timed
            .get(&set)
            .into_iter()
            .flat_map(|timed| &timed.ordered)
    }
}

impl Timed {
    fn put(&mut self, payload: Bytes, at: Timestamp) {
        self.remove(&payload);
        self.times.insert(payload.clone(), at);
        self.ordered.insert((at, payload));
    }

    fn remove(&mut self, payload: &Bytes) {
        if let Some(at) = self.times.remove(payload) {
            self.ordered.remove(&(at, payload.clone()));
        }
    }

    fn trim(&mut self, before: Timestamp, keep: u64) {
        let keep = usize::try_from(keep).unwrap_or(usize::MAX);
        while self.ordered.first().is_some_and(|(at, _)| *at < before) || self.ordered.len() > keep
        {
            let Some((_, payload)) = self.ordered.pop_first() else {
                return;
            };
            self.times.remove(&payload);
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.times.len() as u64
    }

    pub(super) fn time(&self, payload: &[u8]) -> Option<Timestamp> {
        self.times.get(payload).copied()
    }
}
