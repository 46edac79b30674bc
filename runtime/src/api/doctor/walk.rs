//! Going through all payloads of a store.

use std::collections::VecDeque;

use super::Spot;
use crate::store::{ClaimId, Members, Order, Owner, PlaceName, Store, TimedSet, Unavailable};

/// How many payloads are read at once.
const PAGE: usize = 250;

/// A way through the store.
pub(super) struct Walk<'a> {
    store: &'a dyn Store,
    ahead: VecDeque<Station>,
    cursor: u64,
}

/// Where payloads are.
enum Station {
    Place(PlaceName),
    Owner(Owner),
}

impl<'a> Walk<'a> {
    /// A way through queues, sets and hands: in the direction in which jobs go, so that one that moves is rather seen twice
    /// than missed.
    pub(super) async fn new(
        store: &'a dyn Store,
        unlisted: &[PlaceName],
    ) -> Result<Self, Unavailable> {
        let queues = store.members(Members::Queues).await?;
        let queues = queues.iter().map(|name| PlaceName::queue(name));
        let sets = [TimedSet::Schedule, TimedSet::Retry, TimedSet::Dead].map(PlaceName::Timed);
        let owners = store.owners().await?.into_iter().map(|info| info.owner);
        let [schedule, retry, dead] = sets.map(Station::Place);
        let ahead = [schedule, retry]
            .into_iter()
            .chain(queues.chain(unlisted.iter().cloned()).map(Station::Place))
            .chain(owners.map(Station::Owner))
            .chain([dead])
            .collect();
        Ok(Self {
            store,
            ahead,
            cursor: 0,
        })
    }

    /// The next payloads; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Spot>>, Unavailable> {
        let Some(station) = self.ahead.front() else {
            return Ok(None);
        };
        let (spots, next) = match station {
            Station::Owner(owner) => (self.hands(owner).await?, None),
            Station::Place(place) => {
                let page = self
                    .store
                    .page(place, Order::Forward, self.cursor, PAGE)
                    .await?;
                let spot = |entry: crate::store::Entry| Spot::Place(place.clone(), entry.payload);
                (page.entries.into_iter().map(spot).collect(), page.next)
            }
        };
        self.cursor = next.unwrap_or(0);
        if next.is_none() {
            self.ahead.pop_front();
        }
        Ok(Some(spots))
    }

    /// One owner holds no more than it has slots and claims ahead, which is one page.
    async fn hands(&self, owner: &Owner) -> Result<Vec<Spot>, Unavailable> {
        let claims = self.store.claims(owner, usize::MAX).await?;
        let spot = |held: crate::store::Claimed| Spot::Claim {
            claim: ClaimId {
                owner: owner.clone(),
                token: held.token,
            },
            queue: held.queue,
            payload: held.payload,
        };
        Ok(claims.into_iter().map(spot).collect())
    }
}
