//! How entries stand in the store: what is read of one, and the effects that change it.
//!
//! The names are a set; each has a hash that describes it, a hash of what it has pushed, and a text while it is disabled. So enabling and
//! changing do not write over each other, and nothing of an entry stays when it is removed. One that nobody declares any more leaves a
//! hash that remembers it for a while, in case that somebody does so again.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::job::cron::{CronEntry, CronError};
use crate::job::{JobId, Timestamp, random_hex};
use crate::store::{Answer, Effect, Fields, Guard, Key, Members, Store, Tx, TxResult, keys};

/// How many of the last runs are kept, of those that came of themselves and of those that were asked for.
pub(crate) const HISTORY: u64 = 10;

/// How long it is kept what an entry has pushed, after its last run: longer than a year.
const KEEP_RUNS: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// How long a tick is marked as made, beyond the time within which it could be made up for.
const KEEP_TICK: Duration = Duration::from_secs(60 * 60);

/// How long a change is told.
const KEEP_CHANGE: Duration = Duration::from_secs(60);

pub(super) const ENTRY: &str = "entry";
const ORIGIN: &str = "origin";
pub(super) const SINCE: &str = "since";
const MARK: &str = "mark";
const COUNT: &str = "count";

/// An entry as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) name: String,
    /// The text that describes it.
    pub(crate) json: Bytes,
    pub(crate) entry: Result<CronEntry, CronError>,
    pub(crate) origin: String,
    /// From when on it comes.
    pub(crate) since: Timestamp,
    /// The same as it is written.
    written_since: Option<Bytes>,
    pub(crate) enabled: bool,
    pub(crate) runs: Runs,
}

/// What an entry has pushed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs {
    /// The last tick that was made.
    pub(crate) mark: Option<Timestamp>,
    /// How many were made.
    pub(crate) count: u64,
    /// The last runs and their fields, in no order.
    pub(crate) history: Vec<(String, Run)>,
}

/// A run, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// The tick, in microseconds; none where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tick: Option<i64>,
    /// When it was pushed, in microseconds.
    pub(crate) at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) jid: Option<String>,
    /// Why nothing was pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// The keys to read for these names: description and runs of each, in turn.
pub(crate) fn hashes(names: &[String]) -> Vec<Key> {
    let both = |name: &String| [keys::cron_entry(name), keys::cron_runs(name)];
    names.iter().flat_map(both).collect()
}

/// The keys that say which of these are disabled.
pub(crate) fn disabled(names: &[String]) -> Vec<Key> {
    names.iter().map(|name| keys::cron_disabled(name)).collect()
}

/// The names of all entries.
pub(crate) fn names(store: &dyn Store) -> Answer<'_, Vec<String>> {
    store.members(Members::Cron)
}

/// What was read of these names; a name without a description is no entry.
pub(crate) fn read(
    names: Vec<String>,
    hashes: Vec<Fields>,
    disabled: Vec<Option<Bytes>>,
) -> Vec<Stored> {
    let mut hashes = hashes.into_iter();
    let mut read = Vec::with_capacity(names.len());
    for (name, disabled) in names.into_iter().zip(disabled) {
        let (Some(description), Some(runs)) = (hashes.next(), hashes.next()) else {
            break;
        };
        let field = |name: &str| {
            let found = description.iter().find(|(field, _)| field == name);
            found.map(|(_, value)| value.clone())
        };
        if let Some(json) = field(ENTRY) {
            let written_since = field(SINCE);
            read.push(Stored {
                entry: CronEntry::from_json(&name, &json),
                json,
                origin: field(ORIGIN).map_or_else(String::new, |origin| {
                    String::from_utf8_lossy(&origin).into_owned()
                }),
                since: (written_since.as_deref())
                    .and_then(micros)
                    .unwrap_or_default(),
                written_since,
                enabled: disabled.is_none(),
                runs: read_runs(runs),
                name,
            });
        }
    }
    read
}

fn read_runs(fields: Fields) -> Runs {
    let mut runs = Runs::default();
    for (field, value) in fields {
        match field.as_str() {
            MARK => runs.mark = micros(&value),
            COUNT => runs.count = text(&value).unwrap_or(0),
            _ => {
                if let Ok(run) = serde_json::from_slice(&value) {
                    runs.history.push((field, run));
                }
            }
        }
    }
    runs
}

fn text<T: std::str::FromStr>(value: &[u8]) -> Option<T> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

pub(super) fn micros(value: &[u8]) -> Option<Timestamp> {
    text(value).map(Timestamp::from_micros)
}

/// Puts an entry into the store that is not there yet; refused where it is.
pub(crate) fn add(entry: &CronEntry, origin: &str, now: Timestamp) -> Result<Tx, CronError> {
    put(entry, origin, now, entry.is_enabled())
}

/// The same, as one that comes from `since` on, and is enabled or not.
pub(super) fn put(
    entry: &CronEntry,
    origin: &str,
    since: Timestamp,
    enabled: bool,
) -> Result<Tx, CronError> {
    let mut tx = change(entry, origin, Some(since))?;
    let key = keys::cron_entry(entry.name());
    tx.when.push(Guard::AbsentField(key, ENTRY.into()));
    tx.then.push(Effect::Unset(keys::cron_left(entry.name())));
    if !enabled {
        tx.then.push(set_disabled(entry.name()));
    }
    Ok(tx)
}

/// Describes an entry anew; it begins anew at `since`, if that is given.
pub(crate) fn change(
    entry: &CronEntry,
    origin: &str,
    since: Option<Timestamp>,
) -> Result<Tx, CronError> {
    let mut fields: Vec<(Box<str>, Bytes)> = vec![
        (ENTRY.into(), entry.to_json()?.into()),
        (ORIGIN.into(), Bytes::copy_from_slice(origin.as_bytes())),
    ];
    fields.extend(since.map(since_field));
    Ok(Tx::always(vec![
        Effect::Join(Members::Cron, entry.name().into()),
        Effect::SetFields {
            key: keys::cron_entry(entry.name()),
            fields,
            ttl: None,
        },
    ]))
}

/// Takes all of an entry out of the store.
pub(crate) fn remove(name: &str) -> Tx {
    Tx::always(vec![
        Effect::Leave(Members::Cron, name.into()),
        Effect::Unset(keys::cron_entry(name)),
        Effect::Unset(keys::cron_runs(name)),
        Effect::Unset(keys::cron_disabled(name)),
        Effect::Unset(keys::cron_left(name)),
    ])
}

impl Stored {
    /// What holds as long as it was not removed, changed, or begun anew.
    pub(super) fn stands(&self) -> [Guard; 2] {
        let key = keys::cron_entry(&self.name);
        let since = match &self.written_since {
            Some(since) => Guard::EqualsField(key.clone(), SINCE.into(), since.clone()),
            None => Guard::AbsentField(key.clone(), SINCE.into()),
        };
        [
            Guard::EqualsField(key, ENTRY.into(), self.json.clone()),
            since,
        ]
    }
}

/// Puts an entry of another store into this one with all that was read of it, unless there is one of its name.
pub(crate) fn carry(name: &str, hashes: [Fields; 2], is_disabled: bool) -> Tx {
    let [entry, runs_key] = [keys::cron_entry(name), keys::cron_runs(name)];
    let kept = |(key, fields, ttl): (&Key, Fields, Option<Duration>)| {
        let fields: Vec<_> = fields
            .into_iter()
            .map(|(field, value)| (field.into(), value))
            .collect();
        let key = key.clone();
        (!fields.is_empty()).then_some(Effect::SetFields { key, fields, ttl })
    };
    let [description, runs] = hashes;
    let mut then = vec![Effect::Join(Members::Cron, name.into())];
    then.extend(kept((&entry, description, None)));
    then.extend(kept((&runs_key, runs, Some(KEEP_RUNS))));
    then.extend(is_disabled.then(|| set_disabled(name)));
    then.push(ring());
    Tx::when(Guard::AbsentField(entry, ENTRY.into()), then)
}

/// Enables an entry, which begins anew, or disables it.
pub(crate) fn enable(name: &str, enabled: bool, now: Timestamp) -> Tx {
    let change = match enabled {
        true => vec![
            Effect::Unset(keys::cron_disabled(name)),
            Effect::SetFields {
                key: keys::cron_entry(name),
                fields: vec![since_field(now)],
                ttl: None,
            },
        ],
        false => vec![set_disabled(name)],
    };
    Tx::always(change)
}

pub(super) fn since_field(since: Timestamp) -> (Box<str>, Bytes) {
    (SINCE.into(), since.as_micros().to_string().into())
}

fn set_disabled(name: &str) -> Effect {
    Effect::Set {
        key: keys::cron_disabled(name),
        value: Bytes::from_static(b"1"),
        ttl: None,
    }
}

/// Tells everybody to look again, which goes with every change.
pub(crate) fn ring() -> Effect {
    Effect::Append {
        key: keys::CRON_CHANGES.into(),
        item: random_hex().into(),
        ttl: KEEP_CHANGE,
    }
}

/// Adds to the transaction that pushes a tick's job, or to an empty one, what makes it happen once, and not after the entry was removed,
/// changed or disabled. Its place in the history is chosen by the ticks that are known of, and `more` of now.
pub(super) fn tick(
    stored: &Stored,
    entry: &CronEntry,
    tick: Timestamp,
    more: u64,
    run: &Run,
    tx: &mut Tx,
) {
    let name = entry.name();
    let count = stored.runs.count + more;
    let made = keys::cron_tick(name, tick.as_micros().div_euclid(1_000_000));
    // First, so that they are known by their numbers.
    tx.when.splice(0..0, stored.stands());
    tx.when.push(Guard::Absent(made.clone()));
    tx.when.push(Guard::Absent(keys::cron_disabled(name)));
    tx.then.push(Effect::Set {
        key: made,
        value: Bytes::from_static(b"1"),
        ttl: Some(entry.grace() + KEEP_TICK),
    });
    tx.then.push(runs(
        name,
        vec![
            (MARK.into(), tick.as_micros().to_string().into()),
            run_field(format!("t{}", count % HISTORY), run),
        ],
    ));
    tx.then.push(Effect::AddFields {
        key: keys::cron_runs(name),
        fields: vec![(COUNT.into(), 1)],
        ttl: KEEP_RUNS,
    });
    tx.put_in_order();
}

/// Whether a tick was refused since its entry is not any more as it was read.
pub(super) fn is_outdated(result: &TxResult) -> bool {
    matches!(result, TxResult::Refused { by } if *by < 2)
}

/// Adds to the transaction that pushes a job which was asked for that it was. It takes the place of the oldest of these.
pub(crate) fn asked_for(name: &str, known: &Runs, run: &Run, tx: &mut Tx) {
    let places = (0..HISTORY).map(|index| format!("n{index}"));
    let at = |place: &String| {
        let found = known.history.iter().find(|(field, _)| field == place);
        found.map(|(_, run)| run.at)
    };
    let place = places.min_by_key(at).unwrap_or_default();
    tx.then.push(runs(name, vec![run_field(place, run)]));
    tx.put_in_order();
}

fn run_field(place: String, run: &Run) -> (Box<str>, Bytes) {
    let json = serde_json::to_string(run).unwrap_or_default();
    (place.into(), json.into())
}

fn runs(name: &str, fields: Vec<(Box<str>, Bytes)>) -> Effect {
    Effect::SetFields {
        key: keys::cron_runs(name),
        fields,
        ttl: Some(KEEP_RUNS),
    }
}

impl Run {
    pub(crate) fn new(
        tick: Option<Timestamp>,
        now: Timestamp,
        pushed: Result<&JobId, String>,
    ) -> Self {
        let (jid, error) = match pushed {
            Ok(jid) => (Some(jid.as_str().to_owned()), None),
            Err(error) => (None, Some(error)),
        };
        Self {
            tick: tick.map(Timestamp::as_micros),
            at: now.as_micros(),
            jid,
            error,
        }
    }
}
