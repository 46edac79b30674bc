//! The cron under a clock that a test moves: entries that stand in the store before it does, and ticks that are waited for.

use super::Plan;
use super::due::due;
use super::stored::{self, Stored};
use crate::job::Timestamp;
use crate::store::{Store, Tx, Unavailable};

/// Puts what is declared into a store that has no entries, from `now` on. A server does so itself, but a moment after its start, when
/// the clock may have been moved past the first ticks.
pub(in crate::engine) fn declare(plan: &Plan, now: Timestamp) -> Vec<Tx> {
    let (declared, _) = plan.declared();
    let entries = declared.entries.values();
    // What cannot be kept is told when the server declares it.
    let add = |(entry, origin): &(_, String)| stored::add(entry, origin, now).ok();
    let mut txs: Vec<_> = entries.filter_map(add).collect();
    txs.iter_mut().for_each(Tx::put_in_order);
    txs
}

/// Whether an entry has a tick that is to be made at `now` and has not been.
///
/// # Errors
/// A store that gives no answer.
pub(crate) async fn is_tick_due(store: &dyn Store, now: Timestamp) -> Result<bool, Unavailable> {
    let names = stored::names(store).await?;
    if names.is_empty() {
        return Ok(false);
    }
    let hashes = store.fields(&stored::hashes(&names)).await?;
    let disabled = store.values(&stored::disabled(&names)).await?;
    let entries = stored::read(names, hashes, disabled);
    Ok(entries.iter().any(|stored| has_tick(stored, now)))
}

/// From what is written alone: of ticks that a server has passed over, none is made up for later either.
fn has_tick(stored: &Stored, now: Timestamp) -> bool {
    let base = stored.runs.mark.unwrap_or_default().max(stored.since);
    match &stored.entry {
        Ok(entry) => stored.enabled && !due(entry, base, now).is_empty(),
        Err(_) => false,
    }
}
