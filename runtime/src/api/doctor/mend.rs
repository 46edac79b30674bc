//! Mending.

use std::time::Duration;

use bytes::Bytes;

use super::look::{commit, is_twice};
use super::{Spot, Violation};
use crate::api::ApiError;
use crate::client::Client;
use crate::job::Timestamp;
use crate::job::payload::{Edit, Record, Recoveries, splice};
use crate::store::{
    Claim, ClaimId, Claimed, Effect, End, Guard, Members, Owner, Place, Registration, Store,
    TimedSet, Tx, TxResult, Unavailable, keys,
};

/// How many claims are taken over at once, and for how long they are held at most.
const BITE: usize = 100;
const LEASE: Duration = Duration::from_secs(12);

/// What mending came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mended {
    /// It is mended.
    Done,
    /// It is not so any more.
    Gone,
    /// It is left as it is.
    Left {
        /// Why, and what to do.
        why: String,
    },
}

/// Mends what [`doctor`](super::doctor) has named: each in a transaction that does nothing where it is not so any more. No payload is
/// lost by it: it is moved, or one of two copies of the same job goes while the other certainly stands.
///
/// # Errors
/// [`ApiError::Unavailable`]; [`ApiError::Unknown`] where an answer was lost: look again to know whether it is mended.
///
/// # Cancel safety
/// Mending that is dropped was done or not. Claims that were being put back are free for others to take over within 12 s.
pub async fn mend(client: &Client, violation: &Violation) -> Result<Mended, ApiError> {
    let store = client.store().as_ref();
    let mended = match violation {
        Violation::Twice {
            kept,
            surplus,
            differ,
            ..
        } => remove(store, kept, surplus, *differ).await,
        Violation::Abandoned { owner, .. } => put_back(store, owner).await,
        Violation::NoJob { spot, .. } => bury(store, spot).await,
        Violation::GoneProcess { identity } => strike(store, identity).await,
        Violation::PausedWithoutQueue { .. } => {
            Ok(left("it may be wanted: unpause it where it is not"))
        }
        Violation::Store(defect) if defect.kind.mending().is_none() => Ok(left(&defect.found)),
        Violation::Store(defect) => store.repair(defect).await.map(|mended| match mended {
            true => Mended::Done,
            false => Mended::Gone,
        }),
    };
    mended.map_err(unanswered)
}

/// What changes something may have happened, unless it never left.
fn unanswered(error: Unavailable) -> ApiError {
    if error.is_unsent() {
        return ApiError::unavailable(error);
    }
    ApiError::Unknown {
        source: Some(error.into()),
    }
}

fn left(why: &str) -> Mended {
    Mended::Left { why: why.into() }
}

async fn apply(store: &dyn Store, tx: Tx) -> Result<Mended, Unavailable> {
    Ok(match commit(store, tx).await? {
        TxResult::Applied => Mended::Done,
        TxResult::Refused { .. } => Mended::Gone,
        TxResult::Failed { error } => left(&format!("the store could not: {error}")),
    })
}

async fn remove(
    store: &dyn Store,
    kept: &Spot,
    surplus: &Spot,
    differ: bool,
) -> Result<Mended, Unavailable> {
    if differ {
        return Ok(left(
            "these are two jobs with one id: delete the one that is not wanted",
        ));
    }
    // Between this look and the removal one of the two may be claimed; then the other one goes, while the claim stands.
    if kept == surplus && !is_twice(store, kept, surplus).await? {
        return Ok(Mended::Gone);
    }
    let both = Tx {
        when: vec![kept.guard(), surplus.guard()],
        then: vec![surplus.removal()],
        otherwise: Vec::new(),
    };
    apply(store, both).await
}

async fn bury(store: &dyn Store, spot: &Spot) -> Result<Mended, Unavailable> {
    let dead = Place::Timed {
        set: TimedSet::Dead,
        at: Timestamp::from_wall_clock(),
    };
    let put = Effect::Put(spot.payload().clone(), dead);
    apply(store, Tx::when(spot.guard(), vec![put, spot.removal()])).await
}

async fn strike(store: &dyn Store, identity: &str) -> Result<Mended, Unavailable> {
    let listed = store.members(Members::Processes).await?;
    if !listed.iter().any(|name| name == identity) {
        return Ok(Mended::Gone);
    }
    let leave = Effect::Leave(Members::Processes, identity.into());
    let is_absent = Guard::Absent(keys::process(identity));
    apply(store, Tx::when(is_absent, vec![leave])).await
}

/// Takes over what a dead owner holds, as a worker would, and puts it back at the head of its queues. The recovery is counted; a
/// poison pill is buried by the worker that recovers it next.
async fn put_back(store: &dyn Store, dead: &Owner) -> Result<Mended, Unavailable> {
    let me = Owner::random();
    let mut lost: Vec<(ClaimId, Claimed)> = Vec::new();
    for seq in 1.. {
        store.renew(&me, LEASE, Registration::First).await?;
        let taken = store.take_over(&me, seq, dead, BITE).await;
        let Claim::Taken { jobs, .. } = taken? else {
            break;
        };
        if jobs.is_empty() {
            break;
        }
        lost.extend(jobs.into_iter().map(|job| {
            let (owner, token) = (me.clone(), job.token);
            (ClaimId { owner, token }, job)
        }));
    }
    let mut failed = None;
    // From last to first, each to the head of its queue: so the first stands at the head in the end.
    for (claim, held) in lost.iter().rev() {
        let put = Effect::Put(
            recovered(held),
            Place::Queue {
                name: held.queue.clone(),
                end: End::Head,
            },
        );
        let tx = Tx::when(
            Guard::Holds(claim.clone()),
            vec![put, Effect::Release(claim.clone())],
        );
        if let TxResult::Failed { error } = commit(store, tx).await? {
            failed = Some(error);
        }
    }
    // What could not be put back is free for others at once.
    store
        .renew(&me, Duration::ZERO, Registration::Known)
        .await?;
    Ok(match failed {
        Some(error) => left(&format!("the store could not take all of it back: {error}")),
        None if lost.is_empty() => Mended::Gone,
        None => Mended::Done,
    })
}

fn recovered(held: &Claimed) -> Bytes {
    let so_far = Record::parse(held.payload.clone())
        .ok()
        .and_then(|record| record.recoveries());
    let now = Timestamp::from_wall_clock();
    let recoveries = Recoveries::after(so_far, held.recoveries.max(1), now);
    let edits = [Edit::Set("sancho_recoveries", recoveries.json().into())];
    splice(&held.payload, &edits).map_or_else(|| held.payload.clone(), Bytes::from)
}
