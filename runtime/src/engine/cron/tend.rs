//! Keeping in the store what this program declares, beside other programs and other versions of itself.
//!
//! A program brings in what it declares when it starts, and when its schedule file is read anew. What comes from the same place and is not
//! declared here is taken out, unless another live process declares it: one of an older version, or of another program that goes
//! by the same name or file. So what an old version declared goes when the last process of it has gone. A program that comes back finds what was
//! taken out meanwhile as it left it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::declared::{Declared, form};
use super::left::{self, Left};
use super::plan::Others;
use super::stored::{self, Stored};
use super::{Cron, LONGEST_SLEEP, begins_anew};
use crate::engine::presence;
use crate::job::cron::{CronEntry, CronError};
use crate::job::{Timestamp, one_line};
use crate::store::{Tx, TxResult};

/// How long an entry has to be declared by nobody until it is taken out by a server that has run on meanwhile: longer than it takes to
/// start a process anew.
const LEFT_AFTER: Duration = Duration::from_secs(30);

/// How often it is looked for that.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What is seen to after the start.
#[derive(Debug, Default)]
pub(super) struct Tended {
    /// Which version of the plan is in the store.
    version: u64,
    /// Entries that stand there otherwise than they are declared here, or are not, and since when nobody else declares them so.
    strange: HashMap<String, Option<Timestamp>>,
}

impl Tended {
    /// How long it may take until the entries are read anew.
    pub(super) fn look_within(&self) -> Duration {
        if self.strange.is_empty() {
            LONGEST_SLEEP
        } else {
            LOOK_EVERY
        }
    }
}

impl Declared {
    /// Whether an entry that comes from where these do stands there otherwise than it is declared here, or is not.
    fn is_strange(&self, known: &Stored) -> bool {
        match self.entries.get(&known.name) {
            Some((entry, origin)) => known.origin == *origin && !is_same(known, entry),
            None => self.origins.contains(&known.origin),
        }
    }
}

impl Cron {
    /// Brings what this server declares into the store, as far as that has changed, and takes out what it does not declare any more; whether
    /// the store could take it.
    pub(super) async fn declare(&mut self) -> bool {
        let (declared, version) = self.engine.handle.plan().declared();
        if version == self.tended.version {
            return true;
        }
        let forms = self.declared.forms();
        let is_new = |name: &str, entry: &CronEntry| {
            let json = entry.to_json().unwrap_or_default();
            forms
                .get(name)
                .is_none_or(|known| *known != form(json.as_bytes()))
        };
        let before = self.read_all().await;
        let others = self.others().await;
        let now = self.engine.clock.now();
        let mut txs = self.missing(&declared, &before, is_new, now).await;
        for known in &before {
            if let Some((entry, origin)) = declared.entries.get(&known.name) {
                let differs = !is_same(known, entry);
                if !is_new(&known.name, entry) || known.origin == *origin && !differs {
                    continue;
                }
                let is_anothers = !declared.origins.contains(&known.origin)
                    && others.declare_as(&known.name, &form(&known.json));
                if is_anothers && differs {
                    let (name, from) = (one_line(&known.name), one_line(&known.origin));
                    tracing::warn!(
                        "the cron entry {name} is declared by another running program as well ({from}), otherwise: this one takes its place; give one of them another name"
                    );
                }
                let begins = begins_anew(known, entry).then_some(now);
                txs.extend(kept(entry, stored::change(entry, origin, begins)));
            } else if declared.origins.contains(&known.origin) && !others.declare(&known.name) {
                txs.push(leave(known));
            }
        }
        let done = self.bring(txs).await;
        if done {
            self.declared = declared;
            self.tended.version = version;
        }
        done
    }

    /// After the entries were read: sees to those that other processes have taken out, changed, or declare no more; whether the store
    /// could take it.
    pub(super) async fn tend(&mut self) -> bool {
        let now = self.engine.clock.now();
        let mut stored: Vec<Stored> = Vec::new();
        stored.extend(self.known.values().map(|known| known.stored.clone()));
        let declared = self.declared.clone();
        let mut txs = self.missing(&declared, &stored, |_, _| false, now).await;
        let strange = stored.iter().filter(|known| declared.is_strange(known));
        let strange: Vec<_> = strange.collect();
        let mut seen = HashMap::new();
        if !strange.is_empty() {
            let others = self.others().await;
            for known in strange {
                let ours = declared.entries.get(&known.name);
                let is_anothers = match ours {
                    Some(_) => others.declare_as(&known.name, &form(&known.json)),
                    None => others.declare(&known.name),
                };
                let before = self.tended.strange.get(&known.name).copied().flatten();
                let since = (!is_anothers).then(|| before.unwrap_or(now));
                seen.insert(known.name.clone(), since);
                if since.is_none_or(|since| now.since(since) < LEFT_AFTER) {
                    continue;
                }
                match ours {
                    None => txs.push(leave(known)),
                    // It was brought in by a process that has gone: an older one, say, that was started anew amid a deploy.
                    Some((entry, origin)) => {
                        let begins = begins_anew(known, entry).then_some(now);
                        txs.extend(kept(entry, stored::change(entry, origin, begins)));
                    }
                }
            }
        }
        self.tended.strange = seen;
        self.bring(txs).await
    }

    /// What adds the declared entries that are not among these. One that somebody has removed by hand is added where it is new alone.
    async fn missing(
        &self,
        declared: &Declared,
        stored: &[Stored],
        is_new: impl Fn(&str, &CronEntry) -> bool,
        now: Timestamp,
    ) -> Vec<Tx> {
        let names: HashSet<_> = stored.iter().map(|known| &known.name).collect();
        let missing = declared.entries.iter();
        let missing: Vec<_> = missing.filter(|(name, _)| !names.contains(name)).collect();
        if missing.is_empty() {
            return Vec::new();
        }
        let keys = Left::keys(missing.iter().map(|(name, _)| *name));
        let (store, away) = (self.engine.store.as_ref(), &self.engine.away);
        let left = away.insist(|| store.fields(&keys)).await;
        let mut txs = Vec::new();
        for ((name, (entry, origin)), fields) in missing.into_iter().zip(&left) {
            let tx = match Left::read(name, fields) {
                Some(known) => left::take_up(entry, origin, &known, now),
                None if is_new(name, entry) => stored::add(entry, origin, now),
                None => continue,
            };
            txs.extend(kept(entry, tx));
        }
        txs
    }

    async fn others(&self) -> Others {
        Others::read(&presence::others(&self.engine).await)
    }

    /// Commits changes of entries, and tells everybody.
    async fn bring(&mut self, mut txs: Vec<Tx>) -> bool {
        if txs.is_empty() {
            return true;
        }
        txs.push(Tx::always(vec![stored::ring()]));
        txs.iter_mut().for_each(Tx::put_in_order);
        let (store, away) = (self.engine.store.clone(), self.engine.away.clone());
        let results: Vec<TxResult> = self.lane.commit(store.as_ref(), &away, txs).await;
        // What was changed is looked at before the next tick.
        self.changes = None;
        !self.report(&results)
    }
}

/// Takes out what nobody declares any more.
fn leave(known: &Stored) -> Tx {
    let name = one_line(&known.name);
    tracing::info!("the cron entry {name} is declared no more, and removed");
    left::leave(known)
}

fn kept(entry: &CronEntry, tx: Result<Tx, CronError>) -> Option<Tx> {
    tx.inspect_err(|error| {
        tracing::error!(%error, "the cron entry {} cannot be kept: {error}", entry.name());
    })
    .ok()
}

/// Whether the store has this entry as it is.
fn is_same(known: &Stored, entry: &CronEntry) -> bool {
    entry.to_json().is_ok_and(|json| known.json == json)
}
