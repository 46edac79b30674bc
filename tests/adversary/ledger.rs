//! What truly happened, as a witness at the store's side sees it.

use std::collections::{BTreeMap, HashMap, HashSet};

use sancho::store::{Batch, Commit, Lane, TxResult};

pub(super) type Jid = u64;

/// How a job was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// Its claim was released, nothing else.
    Released,
    /// A result was put into a queue with it.
    WithResult,
    /// It went to the dead set.
    Buried,
}

/// What a transaction means for a job.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meaning {
    /// It brings the job into being.
    Push(Jid),
    /// It ends it.
    Settle(Jid, Settled),
    /// It moves it.
    Move,
}

/// Each transaction that was ever applied, known by its place in its lane, so that a repeat does not count.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    next: Jid,
    meanings: HashMap<(Lane, u64), Vec<Meaning>>,
    seen: HashSet<(Lane, u64, usize)>,
    acknowledged: HashSet<Jid>,
    settled: BTreeMap<Jid, Vec<Settled>>,
    pub(super) recovered: usize,
    pub(super) evictions: usize,
    pub(super) crashes: usize,
    pub(super) refused: usize,
}

/// What a run came to.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) acknowledged: usize,
    pub(super) unknown: usize,
    pub(super) lost: Vec<Jid>,
    pub(super) settled_twice: Vec<Jid>,
    pub(super) recovered: usize,
    pub(super) evictions: usize,
    pub(super) crashes: usize,
    pub(super) refused: usize,
    pub(super) lost_calls: usize,
    pub(super) lost_answers: usize,
    pub(super) zombies: usize,
    settled: Vec<(Jid, Settled)>,
}

impl Ledger {
    pub(super) fn new_job(&mut self) -> Jid {
        self.next += 1;
        self.next
    }

    pub(super) fn pushed(&self) -> usize {
        self.acknowledged.len()
    }

    /// Notes what the transactions of a batch mean, before it is sent for the first time.
    pub(super) fn announce(&mut self, batch: &Batch, meanings: Vec<Meaning>) {
        assert_eq!(batch.txs.len(), meanings.len());
        self.meanings
            .insert((batch.lane.clone(), batch.seq), meanings);
    }

    /// Notes what a batch came to at the store, whether its sender learns of it or not.
    pub(super) fn witness(&mut self, batch: &Batch, commit: &Commit) {
        let Commit::Done(results) = commit else {
            return;
        };
        let meanings = &self.meanings[&(batch.lane.clone(), batch.seq)];
        for (index, (result, meaning)) in results.iter().zip(meanings).enumerate() {
            if *result != TxResult::Applied
                || !self.seen.insert((batch.lane.clone(), batch.seq, index))
            {
                continue;
            }
            if let Meaning::Settle(jid, way) = meaning {
                self.settled.entry(*jid).or_default().push(*way);
            }
        }
    }

    /// Notes that the sender of a batch learned what it came to.
    pub(super) fn acknowledge(&mut self, batch: &Batch, results: &[TxResult]) {
        let meanings = &self.meanings[&(batch.lane.clone(), batch.seq)];
        for (result, meaning) in results.iter().zip(meanings) {
            match (result, meaning) {
                (TxResult::Applied, Meaning::Push(jid)) => {
                    self.acknowledged.insert(*jid);
                }
                (TxResult::Refused { .. }, _) => self.refused += 1,
                _ => {}
            }
        }
    }

    pub(super) fn into_verdict(self) -> Verdict {
        let is_lost = |jid: &&Jid| !self.settled.contains_key(jid);
        let mut lost: Vec<_> = self.acknowledged.iter().filter(is_lost).copied().collect();
        lost.sort_unstable();
        let twice = self.settled.iter().filter(|(_, ways)| ways.len() > 1);
        Verdict {
            acknowledged: self.acknowledged.len(),
            unknown: usize::try_from(self.next).unwrap() - self.acknowledged.len(),
            lost,
            settled_twice: twice.map(|(jid, _)| *jid).collect(),
            recovered: self.recovered,
            evictions: self.evictions,
            crashes: self.crashes,
            refused: self.refused,
            settled: self
                .settled
                .iter()
                .flat_map(|(jid, ways)| ways.iter().map(|way| (*jid, *way)))
                .collect(),
            ..Verdict::default()
        }
    }
}

impl Verdict {
    pub(super) fn settled_as(&self, way: Settled) -> HashSet<Jid> {
        let of_this_way = self.settled.iter().filter(|(_, settled)| *settled == way);
        of_this_way.map(|(jid, _)| *jid).collect()
    }

    /// Adds the figures of another run.
    pub(super) fn add(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.unknown += other.unknown;
        self.lost.extend(other.lost);
        self.settled_twice.extend(other.settled_twice);
        self.recovered += other.recovered;
        self.evictions += other.evictions;
        self.crashes += other.crashes;
        self.refused += other.refused;
        self.lost_calls += other.lost_calls;
        self.lost_answers += other.lost_answers;
        self.zombies += other.zombies;
    }
}
