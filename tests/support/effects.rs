//! Short forms of what transactions are made of.

use bytes::Bytes;
use sancho::job::Timestamp;
use sancho::store::{ClaimId, Claimed, Effect, End, Guard, Owner, Place, Source, TimedSet};

/// Puts a payload behind everything that waits in a queue.
#[must_use]
pub fn tail(queue: &str, payload: impl Into<Bytes>) -> Effect {
    put(queue, payload, End::Tail)
}

/// Puts a payload before everything that waits in a queue.
#[must_use]
pub fn head(queue: &str, payload: impl Into<Bytes>) -> Effect {
    put(queue, payload, End::Head)
}

/// Puts a payload into a timed set.
#[must_use]
pub fn timed(set: TimedSet, at: Timestamp, payload: impl Into<Bytes>) -> Effect {
    Effect::Put(payload.into(), Place::Timed { set, at })
}

/// Takes a payload out of a timed set.
#[must_use]
pub fn take(set: TimedSet, payload: impl Into<Bytes>) -> Effect {
    Effect::Take(set.into(), payload.into())
}

/// Asks whether a timed set contains a payload.
#[must_use]
pub fn contains(set: TimedSet, payload: impl Into<Bytes>) -> Guard {
    Guard::Contains(set.into(), payload.into())
}

/// Asks whether a claim is still held.
#[must_use]
pub fn holds(owner: &Owner, job: &Claimed) -> Guard {
    Guard::Holds(claim_id(owner, job))
}

/// Ends a claim.
#[must_use]
pub fn release(owner: &Owner, job: &Claimed) -> Effect {
    Effect::Release(claim_id(owner, job))
}

/// Names a claim.
#[must_use]
pub fn claim_id(owner: &Owner, job: &Claimed) -> ClaimId {
    ClaimId {
        owner: owner.clone(),
        token: job.token,
    }
}

/// Sources in strict order.
#[must_use]
pub fn strictly(queues: &[&str]) -> Vec<Source> {
    queues
        .iter()
        .map(|queue| Source {
            queue: (*queue).into(),
            share: 0,
        })
        .collect()
}

/// Sources with shares.
#[must_use]
pub fn shares(sources: &[(&str, usize)]) -> Vec<Source> {
    sources
        .iter()
        .map(|(queue, share)| Source {
            queue: (*queue).into(),
            share: *share,
        })
        .collect()
}

fn put(queue: &str, payload: impl Into<Bytes>, end: End) -> Effect {
    Effect::Put(
        payload.into(),
        Place::Queue {
            name: queue.into(),
            end,
        },
    )
}
