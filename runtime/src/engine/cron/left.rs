//! Entries that nobody declares any more: out of the store's cron, and remembered for a while, in case that somebody does so again.

use std::time::Duration;

use bytes::Bytes;

use super::stored::{self, ENTRY, SINCE, Stored};
use crate::job::Timestamp;
use crate::job::cron::{CronEntry, CronError};
use crate::store::{Effect, Fields, Guard, Key, Members, Tx, keys};

/// How long an entry is remembered that nobody declares any more: longer than the program that declared it is likely to be away.
const KEEP_LEFT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

const DISABLED: &str = "disabled";

/// What is remembered of an entry that nobody declares any more. What it has pushed stays as well.
#[derive(Debug)]
pub(super) struct Left {
    entry: Option<CronEntry>,
    since: Timestamp,
    enabled: bool,
}

impl Left {
    /// The hashes to read for these names.
    pub(super) fn keys<'a>(names: impl Iterator<Item = &'a String>) -> Vec<Key> {
        names.map(|name| keys::cron_left(name)).collect()
    }

    pub(super) fn read(name: &str, fields: &Fields) -> Option<Self> {
        let field = |name: &str| {
            let found = fields.iter().find(|(field, _)| field == name);
            found.map(|(_, value)| value)
        };
        Some(Self {
            entry: CronEntry::from_json(name, field(ENTRY)?).ok(),
            since: field(SINCE).and_then(|since| stored::micros(since))?,
            enabled: field(DISABLED).is_none(),
        })
    }
}

/// Takes an entry out of the store that nobody declares any more; refused where it was changed since it was read.
pub(super) fn leave(stored: &Stored) -> Tx {
    let name = &stored.name;
    let mut when = stored.stands().to_vec();
    let mut fields = vec![
        (ENTRY.into(), stored.json.clone()),
        stored::since_field(stored.since),
    ];
    if stored.enabled {
        when.push(Guard::Absent(keys::cron_disabled(name)));
    } else {
        fields.push((DISABLED.into(), Bytes::from_static(b"1")));
    }
    let mut tx = Tx::always(vec![
        Effect::Leave(Members::Cron, name.as_str().into()),
        Effect::Unset(keys::cron_entry(name)),
        Effect::Unset(keys::cron_disabled(name)),
        Effect::SetFields {
            key: keys::cron_left(name),
            fields,
            ttl: Some(KEEP_LEFT),
        },
    ]);
    tx.when = when;
    tx
}

/// Puts an entry back that somebody has left: it goes on as if it had stayed.
pub(super) fn take_up(
    entry: &CronEntry,
    origin: &str,
    left: &Left,
    now: Timestamp,
) -> Result<Tx, CronError> {
    let begins_anew = left.entry.as_ref().map(CronEntry::schedule) != Some(entry.schedule());
    let since = if begins_anew { now } else { left.since };
    stored::put(entry, origin, since, left.enabled)
}
