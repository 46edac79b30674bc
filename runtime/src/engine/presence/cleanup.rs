//! Taking processes that are gone out of the set, as Sidekiq does: whoever's turn it is.

use std::time::Duration;

use bytes::Bytes;

use crate::store::{Effect, Fields, Guard, Key, Members, Tx, keys};

/// How often one of all processes and operators does it, as in Sidekiq.
pub(crate) const CLEAN_UP_EVERY: Duration = Duration::from_secs(60);

/// The field that every process has.
pub(crate) const INFO: &str = "info";

/// Takes the turn; refused where somebody had it within [`CLEAN_UP_EVERY`].
pub(crate) fn take_turn() -> Tx {
    let throttle: Key = keys::PROCESS_CLEANUP.into();
    let set = Effect::Set {
        key: throttle.clone(),
        value: Bytes::from_static(b"1"),
        ttl: Some(CLEAN_UP_EVERY),
    };
    Tx::when(Guard::Absent(throttle), vec![set])
}

/// Whether a process with this hash is gone: it has run out.
pub(crate) fn is_gone(fields: &Fields) -> bool {
    !fields.iter().any(|(field, _)| field == INFO)
}

/// Takes a process out of the set; refused where it shows itself again at this moment.
pub(crate) fn leave(identity: &str) -> Tx {
    let still_gone = Guard::AbsentField(keys::process(identity), INFO.into());
    let leave = Effect::Leave(Members::Processes, identity.into());
    Tx::when(still_gone, vec![leave])
}
