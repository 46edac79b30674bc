//! Where a payload stands.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::store::{ClaimId, Effect, Guard, PlaceName, TimedSet};

/// A place, and the payload in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Spot {
    /// It waits, or has its time.
    Place(PlaceName, Bytes),
    /// It is in the hands of an owner.
    Claim {
        /// Whose, and which.
        claim: ClaimId,
        /// The queue that it came from.
        queue: Arc<str>,
        /// The payload.
        payload: Bytes,
    },
}

impl Spot {
    /// The exact bytes.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        match self {
            Self::Place(_, payload) | Self::Claim { payload, .. } => payload,
        }
    }

    /// Asks whether it stands there.
    pub(super) fn guard(&self) -> Guard {
        match self {
            Self::Place(place, payload) => Guard::Contains(place.clone(), payload.clone()),
            Self::Claim { claim, .. } => Guard::Holds(claim.clone()),
        }
    }

    /// Takes it away from there.
    pub(super) fn removal(&self) -> Effect {
        match self {
            Self::Place(place, payload) => Effect::Take(place.clone(), payload.clone()),
            Self::Claim { claim, .. } => Effect::Release(claim.clone()),
        }
    }

    /// Of two spots of one job the one with the lower rank keeps it: the one that is nearest to its end.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Claim { .. } => 0,
            Self::Place(PlaceName::Queue(_), _) => 1,
            Self::Place(PlaceName::Timed(TimedSet::Retry), _) => 2,
            Self::Place(PlaceName::Timed(TimedSet::Schedule), _) => 3,
            Self::Place(PlaceName::Timed(TimedSet::Dead), _) => 4,
        }
    }
}

/// The place, in one line.
impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(PlaceName::Queue(name), _) => write!(f, "the queue {name:?}"),
            Self::Place(PlaceName::Timed(set), _) => write!(f, "the {} set", set.name()),
            Self::Claim { claim, queue, .. } => {
                let (owner, token) = (claim.owner.as_str(), claim.token);
                write!(
                    f,
                    "the hands of {owner:?} ({token:?}, from the queue {queue:?})"
                )
            }
        }
    }
}
