//! Looking, and looking again at what looks wrong.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::walk::Walk;
use super::{MAX_COMPARED, MAX_RECOUNTED, MAX_VIOLATIONS, RECOVERY, Report, Spot, Violation};
use crate::job::payload::Record;
use crate::store::{
    Batch, Commit, Defect, DefectKind, Guard, Lane, Members, Order, Owner, OwnerInfo, PlaceName,
    Store, TimedSet, Tx, TxResult, Unavailable, keys,
};

pub(super) async fn look(store: &dyn Store) -> Result<Report, Unavailable> {
    let defects = store.check().await?;
    let unlisted: Vec<PlaceName> = defects.iter().filter_map(unlisted_queue).collect();
    let mut report = Report::default();
    report
        .violations
        .extend(defects.into_iter().map(Violation::Store));
    let mut look = Look {
        store,
        unlisted,
        report,
    };
    // What the store has found may be why the rest cannot be read.
    if let Err(error) = look.at_everything().await {
        if look.report.violations.is_empty() {
            return Err(error);
        }
        look.report.unfinished = Some(error.to_string());
    }
    look.report.violations.truncate(MAX_VIOLATIONS);
    Ok(look.report)
}

fn unlisted_queue(defect: &Defect) -> Option<PlaceName> {
    let is_unlisted = defect.kind == DefectKind::UnlistedQueue;
    let name = std::str::from_utf8(&defect.subject).ok()?;
    is_unlisted.then(|| PlaceName::queue(name))
}

struct Look<'a> {
    store: &'a dyn Store,
    unlisted: Vec<PlaceName>,
    report: Report,
}

impl Look<'_> {
    async fn at_everything(&mut self) -> Result<(), Unavailable> {
        let owners = self.store.owners().await?;
        self.at_payloads(&owners).await?;
        self.at_names().await?;
        self.at_owners(&owners).await
    }

    async fn at_payloads(&mut self, owners: &[OwnerInfo]) -> Result<(), Unavailable> {
        let census = self.store.census().await?;
        let waiting: u64 = census.queues.iter().map(|queue| queue.size).sum();
        let total = waiting + census.schedule + census.retry + census.dead + census.claimed;
        let parts = total / MAX_COMPARED + 1;
        let hasher = RandomState::new();
        for part in 0..parts {
            let is_mine = |jid: &str| {
                let hash = hasher.hash_one(jid);
                (hash % parts == part).then_some(hash)
            };
            let suspects = self.jids_seen_twice(part == 0, is_mine).await?;
            if !suspects.is_empty() {
                self.confirm_twice(owners, |jid| {
                    is_mine(jid).is_some_and(|hash| suspects.contains(&hash))
                })
                .await?;
            }
        }
        Ok(())
    }

    /// The hashes of the ids that came twice: a job that has moved meanwhile is among them, and rarely one whose hash is another's.
    async fn jids_seen_twice(
        &mut self,
        is_first: bool,
        hash: impl Fn(&str) -> Option<u64>,
    ) -> Result<HashSet<u64>, Unavailable> {
        let (mut seen, mut twice) = (HashSet::new(), HashSet::new());
        let mut walk = Walk::new(self.store, &self.unlisted).await?;
        while let Some(spots) = walk.next().await? {
            for spot in spots {
                self.report.payloads += u64::from(is_first);
                match Record::parse(spot.payload().clone()) {
                    Ok(record) => {
                        let jid = record.jid().as_str();
                        if let Some(hash) = hash(jid).filter(|_| !jid.is_empty())
                            && !seen.insert(hash)
                            && twice.len() < MAX_VIOLATIONS
                        {
                            twice.insert(hash);
                        }
                    }
                    Err(error) if is_first => self.no_job(spot, &error.to_string()).await?,
                    Err(_) => {}
                }
            }
        }
        Ok(twice)
    }

    /// In a queue, in hands and in the dead set anything may stand: a worker buries it.
    async fn no_job(&mut self, spot: Spot, reason: &str) -> Result<(), Unavailable> {
        if let Spot::Place(PlaceName::Timed(set), _) = spot
            && set != TimedSet::Dead
            && self.report.violations.len() < MAX_VIOLATIONS
            && holds(self.store, vec![spot.guard()]).await?
        {
            let reason = reason.to_owned();
            self.report
                .violations
                .push(Violation::NoJob { set, spot, reason });
        }
        Ok(())
    }

    async fn confirm_twice(
        &mut self,
        owners: &[OwnerInfo],
        is_suspect: impl Fn(&str) -> bool,
    ) -> Result<(), Unavailable> {
        let mut spots_of: HashMap<String, Vec<Spot>> = HashMap::new();
        let mut walk = Walk::new(self.store, &self.unlisted).await?;
        while let Some(spots) = walk.next().await? {
            for spot in spots {
                if let Ok(record) = Record::parse(spot.payload().clone())
                    && is_suspect(record.jid().as_str())
                {
                    let jid = record.jid().to_string();
                    spots_of.entry(jid).or_default().push(spot);
                }
            }
        }
        let mut spots_of: Vec<_> = spots_of.into_iter().collect();
        spots_of.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (jid, mut spots) in spots_of {
            spots.sort_by_key(|spot| (spot.rank(), std::cmp::Reverse(lease_left(spot, owners))));
            let mut rest = spots.into_iter();
            let Some(kept) = rest.next() else { continue };
            for surplus in rest {
                if is_twice(self.store, &kept, &surplus).await? {
                    let violation = Violation::Twice {
                        jid: jid.clone(),
                        differ: are_different(&kept, &surplus),
                        kept: kept.clone(),
                        surplus,
                    };
                    if !self.report.violations.contains(&violation) {
                        self.report.violations.push(violation);
                    }
                }
            }
        }
        Ok(())
    }

    async fn at_names(&mut self) -> Result<(), Unavailable> {
        let processes = self.store.members(Members::Processes).await?;
        let mut gone = Vec::new();
        for identity in processes {
            let absent = Guard::Absent(keys::process(&identity));
            if holds(self.store, vec![absent]).await? {
                gone.push(identity);
            }
        }
        let still = self.store.members(Members::Processes).await?;
        gone.retain(|identity| still.contains(identity));
        let gone = gone
            .into_iter()
            .map(|identity| Violation::GoneProcess { identity });
        self.report.violations.extend(gone);

        let mut paused = self.store.members(Members::Paused).await?;
        let queues = self.store.members(Members::Queues).await?;
        paused.retain(|name| {
            !queues.contains(name) && !self.unlisted.contains(&PlaceName::queue(name))
        });
        let paused = paused
            .into_iter()
            .map(|queue| Violation::PausedWithoutQueue { queue });
        self.report.violations.extend(paused);
        Ok(())
    }

    /// Those that had been overdue before everything else was looked at, and still are.
    async fn at_owners(&mut self, before: &[OwnerInfo]) -> Result<(), Unavailable> {
        let is_overdue = |info: &OwnerInfo| info.held > 0 && info.overdue > RECOVERY;
        let overdue: HashSet<&Owner> = before
            .iter()
            .filter(|info| is_overdue(info))
            .map(|info| &info.owner)
            .collect();
        if overdue.is_empty() {
            return Ok(());
        }
        let now = self.store.owners().await?;
        let has_rescuer = now.iter().any(|info| info.left > Duration::ZERO);
        let abandoned = now
            .into_iter()
            .filter(|info| is_overdue(info) && overdue.contains(&info.owner))
            .map(|info| Violation::Abandoned {
                owner: info.owner,
                held: info.held,
                overdue: info.overdue,
                has_rescuer,
            });
        self.report.violations.extend(abandoned);
        Ok(())
    }
}

fn lease_left(spot: &Spot, owners: &[OwnerInfo]) -> Duration {
    let Spot::Claim { claim, .. } = spot else {
        return Duration::ZERO;
    };
    let of = owners.iter().find(|info| info.owner == claim.owner);
    of.map_or(Duration::ZERO, |info| info.left)
}

/// Whether class or arguments of two payloads differ.
fn are_different(one: &Spot, other: &Spot) -> bool {
    let read = |spot: &Spot| Record::parse(spot.payload().clone()).ok();
    match (read(one), read(other)) {
        (Some(one), Some(other)) => one.class() != other.class() || one.args() != other.args(),
        _ => true,
    }
}

/// Whether a job stands in both spots in one moment.
pub(super) async fn is_twice(
    store: &dyn Store,
    kept: &Spot,
    surplus: &Spot,
) -> Result<bool, Unavailable> {
    match (kept, surplus) {
        // Guards cannot tell one from two: all of the queue is read in one moment.
        (Spot::Place(place @ PlaceName::Queue(_), payload), _) if kept == surplus => {
            let all = store.page(place, Order::Forward, 0, MAX_RECOUNTED).await?;
            let same = all.entries.iter().filter(|entry| entry.payload == *payload);
            Ok(same.count() > 1)
        }
        // A set holds the same bytes once, and an owner a token: it was seen twice while others moved.
        _ if kept == surplus => Ok(false),
        _ => holds(store, vec![kept.guard(), surplus.guard()]).await,
    }
}

/// Whether all of this is so in one moment.
async fn holds(store: &dyn Store, when: Vec<Guard>) -> Result<bool, Unavailable> {
    let ask = Tx {
        when,
        ..Tx::default()
    };
    Ok(commit(store, ask).await? == TxResult::Applied)
}

/// Commits one transaction, once.
pub(super) async fn commit(store: &dyn Store, tx: Tx) -> Result<TxResult, Unavailable> {
    let batch = Batch {
        lane: Lane::random(),
        seq: 1,
        txs: vec![tx],
    };
    Ok(match store.commit(&batch).await? {
        Commit::Done(mut results) if results.len() == 1 => results.remove(0),
        // No batch before it is known of a new lane.
        other => TxResult::Failed {
            error: format!("{other:?}"),
        },
    })
}
