//! What the model keeps, and each verb of the contract as the plainest code for it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::job::Timestamp;
use crate::store::tx::{
    Batch, ClaimId, Effect, End, Guard, Lane, Members, Owner, Place, Stat, TimedSet, Token, Tx,
};
use crate::store::{
    Claim, ClaimRequest, Claimed, Commit, Entry, MAX_CLAIM, MAX_EXPIRED, RECEIPT_TTL, Registration,
    Renewed, Standing, TxResult,
};

#[derive(Default)]
pub(super) struct State {
    /// The head of a queue is the front. An empty queue has no entry.
    pub(super) queues: BTreeMap<Arc<str>, VecDeque<Bytes>>,
    pub(super) timed: BTreeMap<TimedSet, BTreeMap<Bytes, Timestamp>>,
    pub(super) members: BTreeMap<Members, BTreeSet<String>>,
    /// By UTC day; `None` is the total.
    pub(super) counters: BTreeMap<(Stat, Option<String>), u64>,
    pub(super) owners: BTreeMap<Owner, Lease>,
    /// Outlives the registration of its owner: what is left of one that is being taken over is still its own to settle.
    pub(super) claims: BTreeMap<Owner, BTreeMap<Token, Held>>,
    receipts: BTreeMap<Lane, Receipt>,
}

pub(super) struct Lease {
    pub(super) deadline: Timestamp,
    /// False from the first bite of a takeover on.
    registered: bool,
    /// The sequence number of the last claim or takeover.
    seq: u64,
}

pub(super) struct Held {
    queue: Arc<str>,
    recoveries: u32,
    payload: Bytes,
}

struct Receipt {
    seq: u64,
    results: Vec<TxResult>,
    expires: Timestamp,
}

/// Where a claim or takeover stands in the sequence of its owner.
enum Progress {
    Next,
    Repeat,
    Evicted,
    Stale,
}

impl Lease {
    fn ran_out(&self, now: Timestamp) -> bool {
        self.deadline <= now
    }
}

impl State {
    pub(super) fn commit(&mut self, batch: &Batch, now: Timestamp) -> Commit {
        debug_assert!(batch.txs.iter().all(Tx::is_well_ordered));
        self.receipts.retain(|_, receipt| now < receipt.expires);
        if let Some(receipt) = self.receipts.get(&batch.lane) {
            if batch.seq == receipt.seq {
                return Commit::Done(receipt.results.clone());
            }
            if batch.seq < receipt.seq {
                return Commit::Stale;
            }
        }
        let results: Vec<TxResult> = batch.txs.iter().map(|tx| self.apply(tx, now)).collect();
        let receipt = Receipt {
            seq: batch.seq,
            results: results.clone(),
            expires: now.after(RECEIPT_TTL),
        };
        self.receipts.insert(batch.lane.clone(), receipt);
        Commit::Done(results)
    }

    fn apply(&mut self, tx: &Tx, now: Timestamp) -> TxResult {
        let refused = tx.when.iter().position(|guard| !self.holds(guard));
        let effects = if refused.is_none() {
            &tx.then
        } else {
            &tx.otherwise
        };
        for effect in effects {
            self.effect(effect, now);
        }
        refused.map_or(TxResult::Applied, |by| TxResult::Refused { by })
    }

    fn holds(&self, guard: &Guard) -> bool {
        match guard {
            Guard::Holds(id) => self.held(&id.owner).any(|(token, _)| *token == id.token),
            Guard::Contains(set, payload) => self.find(*set, payload).is_some(),
        }
    }

    fn effect(&mut self, effect: &Effect, now: Timestamp) {
        match effect {
            Effect::Put(payload, place) => self.put(payload.clone(), place),
            Effect::Take(set, payload) => {
                self.timed.entry(*set).or_default().remove(payload);
            }
            Effect::Release(id) => {
                self.release(id);
            }
            Effect::Count(stat, n) => {
                for day in [None, Some(utc_day(now))] {
                    *self.counters.entry((*stat, day)).or_default() += n;
                }
            }
            Effect::Join(set, member) => {
                self.members
                    .entry(*set)
                    .or_default()
                    .insert(member.to_string());
            }
            Effect::Leave(set, member) => {
                self.members.entry(*set).or_default().remove(&**member);
            }
            Effect::Trim { set, before, keep } => self.trim(*set, *before, *keep),
        }
    }

    fn put(&mut self, payload: Bytes, place: &Place) {
        match place {
            Place::Queue { name, end } => {
                let queue = self.queues.entry(Arc::clone(name)).or_default();
                match end {
                    End::Head => queue.push_front(payload),
                    End::Tail => queue.push_back(payload),
                }
                self.members
                    .entry(Members::Queues)
                    .or_default()
                    .insert(name.to_string());
            }
            Place::Timed { set, at } => {
                self.timed.entry(*set).or_default().insert(payload, *at);
            }
        }
    }

    fn trim(&mut self, set: TimedSet, before: Timestamp, keep: u64) {
        let entries = self.timed.entry(set).or_default();
        entries.retain(|_, at| *at >= before);
        let keep = usize::try_from(keep).unwrap_or(usize::MAX);
        let excess = entries.len().saturating_sub(keep);
        for entry in self.entries(set).into_iter().take(excess) {
            self.timed.entry(set).or_default().remove(&entry.payload);
        }
    }

    fn release(&mut self, id: &ClaimId) -> Option<Held> {
        self.claims.get_mut(&id.owner)?.remove(&id.token)
    }

    pub(super) fn claim(&mut self, request: &ClaimRequest) -> Claim {
        let owner = &request.owner;
        match self.advance(owner, request.seq) {
            Progress::Next => {}
            Progress::Repeat => return self.taken(owner, request.seq),
            Progress::Evicted => return Claim::Evicted,
            Progress::Stale => return Claim::Stale,
        }
        let limit = request.limit.min(MAX_CLAIM);
        let mut jobs = Vec::new();
        let shares = request
            .sources
            .iter()
            .map(|source| (&source.queue, source.share));
        let rest = request.sources.iter().map(|source| (&source.queue, limit));
        for (queue, most) in shares.chain(rest) {
            let paused = self.members.get(&Members::Paused);
            if paused.is_some_and(|paused| paused.contains(&**queue)) {
                continue;
            }
            for _ in 0..most.min(limit - jobs.len()) {
                let Some(payload) = self.pop(queue) else {
                    break;
                };
                jobs.push(Held {
                    queue: Arc::clone(queue),
                    recoveries: 0,
                    payload,
                });
            }
        }
        self.hold(owner, request.seq, jobs);
        self.taken(owner, request.seq)
    }

    fn pop(&mut self, name: &Arc<str>) -> Option<Bytes> {
        let queue = self.queues.get_mut(name)?;
        let payload = queue.pop_front();
        if queue.is_empty() {
            self.queues.remove(name);
        }
        payload
    }

    pub(super) fn take_over(
        &mut self,
        owner: &Owner,
        seq: u64,
        from: &Owner,
        limit: usize,
        now: Timestamp,
    ) -> Claim {
        match self.advance(owner, seq) {
            Progress::Next => {}
            Progress::Repeat => return self.taken(owner, seq),
            Progress::Evicted => return Claim::Evicted,
            Progress::Stale => return Claim::Stale,
        }
        let mut jobs = Vec::new();
        if let Some(lease) = self.owners.get_mut(from)
            && lease.ran_out(now)
            && from != owner
        {
            lease.registered = false;
            let claims = self.claims.entry(from.clone()).or_default();
            while jobs.len() < limit.min(MAX_CLAIM)
                && let Some((_, mut held)) = claims.pop_first()
            {
                held.recoveries += 1;
                jobs.push(held);
            }
            if claims.is_empty() {
                self.claims.remove(from);
                self.owners.remove(from);
            }
        }
        self.hold(owner, seq, jobs);
        self.taken(owner, seq)
    }

    /// Where a claim or takeover stands in its owner's sequence; the next one moves it on, whatever it will take.
    fn advance(&mut self, owner: &Owner, seq: u64) -> Progress {
        match self.owners.get_mut(owner) {
            Some(lease) if lease.registered => {
                if seq < lease.seq {
                    return Progress::Stale;
                }
                if seq == lease.seq {
                    return Progress::Repeat;
                }
                lease.seq = seq;
                Progress::Next
            }
            _ => Progress::Evicted,
        }
    }

    fn hold(&mut self, owner: &Owner, seq: u64, jobs: Vec<Held>) {
        let tokens = (0..).map(|index| Token::new(seq, index));
        self.claims
            .entry(owner.clone())
            .or_default()
            .extend(tokens.zip(jobs));
    }

    /// The answer to a claim or takeover: what is held of it, the first time as at every repeat.
    fn taken(&self, owner: &Owner, seq: u64) -> Claim {
        let of_this_call = Token::new(seq, 0)..Token::new(seq + 1, 0);
        let jobs = self
            .held(owner)
            .filter(|(token, _)| of_this_call.contains(token))
            .map(|(token, held)| held.as_claimed(*token))
            .collect();
        Claim::Taken {
            jobs,
            unusable_queues: Vec::new(),
        }
    }

    pub(super) fn renew(
        &mut self,
        owner: &Owner,
        lease: Duration,
        registration: Registration,
        now: Timestamp,
    ) -> Renewed {
        let deadline = now.after(lease);
        let standing = match (self.owners.get_mut(owner), registration) {
            (Some(known), _) if known.registered => {
                known.deadline = deadline;
                Standing::Kept
            }
            (None, Registration::First) => {
                let lease = Lease {
                    deadline,
                    registered: true,
                    seq: 0,
                };
                self.owners.insert(owner.clone(), lease);
                Standing::New
            }
            _ => Standing::Evicted,
        };
        let mut expired: Vec<(Timestamp, &Owner)> = self
            .owners
            .iter()
            .filter(|(other, lease)| *other != owner && lease.ran_out(now))
            .map(|(other, lease)| (lease.deadline, other))
            .collect();
        expired.sort();
        Renewed {
            standing,
            now,
            held: self.held(owner).count() as u64,
            expired: expired
                .into_iter()
                .take(MAX_EXPIRED)
                .map(|(_, other)| other.clone())
                .collect(),
        }
    }

    pub(super) fn held(&self, owner: &Owner) -> impl Iterator<Item = (&Token, &Held)> {
        self.claims.get(owner).into_iter().flatten()
    }

    /// The entries of a timed set in their order: by time, then by bytes.
    pub(super) fn entries(&self, set: TimedSet) -> Vec<Entry> {
        let entries = self.timed.get(&set).into_iter().flatten();
        let mut entries: Vec<Entry> = entries
            .map(|(payload, at)| Entry {
                payload: payload.clone(),
                at: Some(*at),
            })
            .collect();
        entries.sort_by(|a, b| (a.at, &a.payload).cmp(&(b.at, &b.payload)));
        entries
    }
}

impl Held {
    pub(super) fn as_claimed(&self, token: Token) -> Claimed {
        Claimed {
            token,
            queue: Arc::clone(&self.queue),
            recoveries: self.recoveries,
            payload: self.payload.clone(),
        }
    }
}

fn utc_day(now: Timestamp) -> String {
    DateTime::<Utc>::from(now).format("%Y-%m-%d").to_string()
}
