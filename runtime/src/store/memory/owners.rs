//! Claims, leases and takeovers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Data, Held, Registered};
use crate::job::Timestamp;
use crate::store::{
    Claim, ClaimRequest, Claimed, MAX_CLAIM, MAX_EXPIRED, Members, Owner, Registration, Renewed,
    Source, Standing, Token,
};

impl Data {
    pub(super) fn claim(&mut self, request: &ClaimRequest) -> Claim {
        if let Some(answer) = self.replay(&request.owner, request.seq) {
            return answer;
        }
        let limit = request.limit.min(MAX_CLAIM);
        let mut taken = Vec::new();
        let first = request.sources.iter().map(|source| (source, source.share));
        let rest = request.sources.iter().map(|source| (source, limit));
        for (source, share) in first.chain(rest) {
            let wanted = share.min(limit - taken.len());
            self.take_from(source, wanted, &mut taken);
        }
        self.hold(&request.owner, request.seq, taken)
    }

    fn take_from(&mut self, source: &Source, wanted: usize, taken: &mut Vec<Held>) {
        let paused = self
            .members
            .get(&Members::Paused)
            .is_some_and(|paused| paused.contains(&*source.queue));
        let Some(queue) = self.queues.get_mut(&source.queue).filter(|_| !paused) else {
            return;
        };
        let some = queue.drain(..wanted.min(queue.len()));
        taken.extend(some.map(|payload| Held {
            queue: source.queue.clone(),
            recoveries: 0,
            payload,
        }));
    }

    pub(super) fn take_over(
        &mut self,
        owner: &Owner,
        seq: u64,
        from: &Owner,
        limit: usize,
        now: Timestamp,
    ) -> Claim {
        if let Some(answer) = self.replay(owner, seq) {
            return answer;
        }
        let mut taken = Vec::new();
        if owner != from
            && let Some(dead) = self
                .owners
                .get_mut(from)
                .filter(|dead| dead.deadline <= now)
        {
            dead.seq = None;
            while taken.len() < limit.min(MAX_CLAIM)
                && let Some((_, held)) = dead.claims.pop_first()
            {
                taken.push(Held {
                    recoveries: held.recoveries + 1,
                    ..held
                });
            }
            if dead.is_forgotten() {
                self.owners.remove(from);
            }
        }
        self.hold(owner, seq, taken)
    }

    /// The answer, where this call is not a new one.
    fn replay(&self, owner: &Owner, seq: u64) -> Option<Claim> {
        let Some((registered, last)) = self
            .owners
            .get(owner)
            .and_then(|owner| Some((owner, owner.seq?)))
        else {
            return Some(Claim::Evicted);
        };
        match seq.cmp(&last) {
            std::cmp::Ordering::Less => Some(Claim::Stale),
            std::cmp::Ordering::Equal => {
                let of_this_call = registered
                    .claims
                    .range(Token::new(seq, 0)..Token::new(seq + 1, 0));
                Some(Claim::Taken {
                    jobs: of_this_call.map(claimed).collect(),
                    unusable_queues: Vec::new(),
                })
            }
            std::cmp::Ordering::Greater => None,
        }
    }

    fn hold(&mut self, owner: &Owner, seq: u64, taken: Vec<Held>) -> Claim {
        let registered = self.owners.get_mut(owner).expect("`replay` found it");
        registered.seq = Some(seq);
        let tokens = (0..).map(|index| Token::new(seq, index));
        let new: BTreeMap<_, _> = tokens.zip(taken).collect();
        let jobs = new.iter().map(claimed).collect();
        registered.claims.extend(new);
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
        let standing = match self.owners.get_mut(owner) {
            Some(known) if known.seq.is_some() => {
                known.deadline = deadline;
                Standing::Kept
            }
            None if registration == Registration::First => {
                let new = Registered {
                    seq: Some(0),
                    deadline,
                    claims: BTreeMap::new(),
                };
                self.owners.insert(owner.clone(), new);
                Standing::New
            }
            _ => Standing::Evicted,
        };
        let held = self
            .owners
            .get(owner)
            .map_or(0, |owner| owner.claims.len() as u64);
        Renewed {
            standing,
            now,
            held,
            expired: self.expired(owner, now),
        }
    }

    fn expired(&self, but: &Owner, now: Timestamp) -> Vec<Owner> {
        let expired = self
            .owners
            .iter()
            .filter(|(owner, registered)| *owner != but && registered.deadline <= now);
        let mut expired: Vec<_> = expired
            .map(|(owner, registered)| (registered.deadline, owner.clone()))
            .collect();
        expired.sort();
        expired.truncate(MAX_EXPIRED);
        expired.into_iter().map(|(_, owner)| owner).collect()
    }
}

impl Registered {
    /// Whether there is nothing left to say of it.
    pub(super) fn is_forgotten(&self) -> bool {
        self.seq.is_none() && self.claims.is_empty()
    }
}

pub(super) fn claimed((token, held): (&Token, &Held)) -> Claimed {
    let Held {
        queue,
        recoveries,
        payload,
    } = held.clone();
    Claimed {
        token: *token,
        queue,
        recoveries,
        payload,
    }
}
