//! A process as the contract wants it: it repeats what was not answered, under the same number, before it goes on.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sancho::job::Timestamp;
use sancho::store::{
    Batch, Claim, ClaimRequest, Claimed, Commit, Entry, Lane, Owner, Registration, Standing, Store,
    TimedSet, Tx, TxResult,
};
use sancho_tests::LEASE;
use sancho_tests::effects::{contains, head, holds, release, shares, tail, take, timed};

use super::ledger::{Jid, Meaning, Settled};
use super::network::{Call, Network, Reply};

pub(super) const QUEUES: [&str; 3] = ["high", "low", "default"];

/// Where results are put.
pub(super) const DONE: &str = "done";

const HEARTBEAT: Duration = Duration::from_secs(4);

/// How long an unanswered push is repeated before its caller is told that its fate is unknown. With the latest a call can
/// arrive it stays below the life of a receipt.
const PATIENCE: Duration = Duration::from_secs(20);

/// Takeovers after which a job is buried.
const POISON: u32 = 3;

pub(super) struct Process {
    store: Arc<dyn Store>,
    owner: Owner,
    is_registered: bool,
    seq: u64,
    /// One sequence for what ends and moves jobs, one for pushes.
    work: Sequence,
    pushes: Sequence,
    in_flight: Option<InFlight>,
    held: Vec<Claimed>,
    expired: Vec<Owner>,
    /// A page of due entries that was read some time ago; others may have moved them since.
    due: Option<(TimedSet, Vec<Entry>)>,
    renewed: Option<Timestamp>,
    asleep_until: Option<Timestamp>,
}

struct Sequence {
    lane: Lane,
    seq: u64,
}

struct InFlight {
    call: Call,
    since: Timestamp,
    is_push: bool,
    /// The claims that the call ends where it is done.
    ends: Vec<Claimed>,
}

impl Process {
    pub(super) fn new(store: Arc<dyn Store>, network: &mut Network) -> Self {
        Self {
            store,
            // Drawn from the seed, since the order of owners may depend on their ids.
            owner: Owner::from_text(&format!("{:016x}", network.rng.u64(..))),
            is_registered: false,
            seq: 0,
            work: Sequence::new(),
            pushes: Sequence::new(),
            in_flight: None,
            held: Vec::new(),
            expired: Vec::new(),
            due: None,
            renewed: None,
            asleep_until: None,
        }
    }

    /// Whether it has nothing to do that it knows of.
    pub(super) fn rests(&self) -> bool {
        self.in_flight.is_none() && self.held.is_empty() && self.expired.is_empty()
    }

    /// Makes one call, or crashes, or falls asleep.
    pub(super) async fn step(&mut self, network: &mut Network) {
        if network.is_faulty {
            if network.chance(6) {
                network.ledger.crashes += 1;
                *self = Self::new(Arc::clone(&self.store), network);
            }
            if self.asleep_until.is_some_and(|until| network.now() < until) {
                return;
            }
            if network.chance(15) {
                let stall = network.rng.u64(0..4 * LEASE.as_secs() * 1_000);
                self.asleep_until = Some(network.now().after(Duration::from_millis(stall)));
                return;
            }
        }
        let in_flight = match self.in_flight.take() {
            Some(unanswered) => unanswered,
            None => match self.next_call(network).await {
                Some(call) => call,
                None => return,
            },
        };
        match network.send(&self.store, &in_flight.call).await {
            Some(reply) => self.receive(network, in_flight, reply),
            None if in_flight.is_push && network.now().since(in_flight.since) > PATIENCE => {
                self.pushes = Sequence::new();
            }
            None => self.in_flight = Some(in_flight),
        }
    }

    async fn next_call(&mut self, network: &mut Network) -> Option<InFlight> {
        let now = network.now();
        let is_due = self
            .renewed
            .is_none_or(|renewed| now.since(renewed) >= HEARTBEAT);
        // One that wakes from a stall often does something else before it learns that it was taken for dead.
        let renews = is_due && (!network.is_faulty || network.chance(400));
        if !self.is_registered || renews {
            return Some(self.in_flight(now, self.renewal()));
        }
        if !network.is_faulty {
            return self.next_calm_call(network).await;
        }
        Some(match network.rng.u32(0..100) {
            0..25 => self.push(network),
            25..50 => {
                let request = self.claim(network);
                self.in_flight(now, Call::Claim(request))
            }
            50..65 => self.finish(network)?,
            65..75 => {
                let finish = self.finish(network)?;
                let Call::Commit(batch) = finish.call else {
                    return None;
                };
                let request = self.claim(network);
                InFlight {
                    call: Call::Turn(batch, request),
                    ..finish
                }
            }
            75..85 => {
                let call = self.take_over(network)?;
                self.in_flight(now, call)
            }
            85..92 => {
                self.read_due(network).await;
                return None;
            }
            _ => self.promote(network)?,
        })
    }

    /// What there is to do when nothing is pushed any more.
    async fn next_calm_call(&mut self, network: &mut Network) -> Option<InFlight> {
        let now = network.now();
        if let Some(call) = self.take_over(network) {
            return Some(self.in_flight(now, call));
        }
        if let Some(finish) = self.finish(network) {
            return Some(finish);
        }
        if network.chance(500) {
            let request = self.claim(network);
            return Some(self.in_flight(now, Call::Claim(request)));
        }
        self.read_due(network).await;
        self.promote(network)
    }

    fn renewal(&self) -> Call {
        let registration = if self.is_registered {
            Registration::Known
        } else {
            Registration::First
        };
        Call::Renew {
            owner: self.owner.clone(),
            registration,
        }
    }

    fn push(&mut self, network: &mut Network) -> InFlight {
        let now = network.now();
        let mut txs = Vec::new();
        let mut meanings = Vec::new();
        for _ in 0..network.rng.usize(1..6) {
            let jid = network.ledger.new_job();
            let queue = QUEUES[network.rng.usize(0..QUEUES.len())];
            let payload = payload(jid, queue, 0);
            txs.push(Tx::always(vec![if network.chance(300) {
                let wait = Duration::from_millis(network.rng.u64(0..30_000));
                timed(TimedSet::Schedule, now.after(wait), payload)
            } else {
                tail(queue, payload)
            }]));
            meanings.push(Meaning::Push(jid));
        }
        let batch = self.pushes.next(txs);
        network.ledger.announce(&batch, meanings);
        InFlight {
            is_push: true,
            ..self.in_flight(now, Call::Commit(batch))
        }
    }

    fn claim(&mut self, network: &mut Network) -> ClaimRequest {
        self.seq += 1;
        ClaimRequest {
            owner: self.owner.clone(),
            seq: self.seq,
            sources: shares(&QUEUES.map(|queue| (queue, network.rng.usize(0..3)))),
            limit: network.rng.usize(1..12),
        }
    }

    /// Settles, retries or hands back some of what is held.
    fn finish(&mut self, network: &mut Network) -> Option<InFlight> {
        if self.held.is_empty() {
            return None;
        }
        let now = network.now();
        network.rng.shuffle(&mut self.held);
        let count = network.rng.usize(1..=self.held.len().min(12));
        let ends = self.held.split_off(self.held.len() - count);
        let mut txs = Vec::new();
        let mut meanings = Vec::new();
        for job in &ends {
            let (jid, queue, moves) = parse(&job.payload);
            let release = release(&self.owner, job);
            let fate = match network.rng.u32(0..100) {
                _ if job.recoveries >= POISON => 60,
                // The run has to come to an end.
                fate if !network.is_faulty => fate % 70,
                fate => fate,
            };
            let (then, meaning) = match fate {
                0..35 => (vec![release], Meaning::Settle(jid, Settled::Released)),
                35..60 => {
                    let result = tail(DONE, job.payload.clone());
                    (
                        vec![result, release],
                        Meaning::Settle(jid, Settled::WithResult),
                    )
                }
                60..70 => {
                    let bury = timed(TimedSet::Dead, now, job.payload.clone());
                    (vec![bury, release], Meaning::Settle(jid, Settled::Buried))
                }
                70..90 => {
                    let wait = Duration::from_millis(network.rng.u64(0..20_000));
                    let again = payload(jid, queue, moves + 1);
                    let retry = timed(TimedSet::Retry, now.after(wait), again);
                    (vec![retry, release], Meaning::Move)
                }
                _ => (
                    vec![head(&job.queue, job.payload.clone()), release],
                    Meaning::Move,
                ),
            };
            txs.push(Tx::when(holds(&self.owner, job), then));
            meanings.push(meaning);
        }
        let batch = self.work.next(txs);
        network.ledger.announce(&batch, meanings);
        Some(InFlight {
            ends,
            ..self.in_flight(now, Call::Commit(batch))
        })
    }

    fn take_over(&mut self, network: &mut Network) -> Option<Call> {
        let from = self.expired.first()?.clone();
        self.seq += 1;
        let limit = network.rng.usize(1..8);
        Some(Call::TakeOver {
            owner: self.owner.clone(),
            seq: self.seq,
            from,
            limit,
        })
    }

    async fn read_due(&mut self, network: &mut Network) {
        let set = if network.rng.bool() {
            TimedSet::Schedule
        } else {
            TimedSet::Retry
        };
        let due = self
            .store
            .due(set, network.now(), 10)
            .await
            .expect("the store answers");
        self.due = Some((set, due.entries));
    }

    fn promote(&mut self, network: &mut Network) -> Option<InFlight> {
        let (set, entries) = self.due.take()?;
        if entries.is_empty() {
            return None;
        }
        let promote = |entry: &Entry| {
            let (jid, queue, moves) = parse(&entry.payload);
            let put = tail(queue, payload(jid, queue, moves + 1));
            let then = vec![put, take(set, entry.payload.clone())];
            Tx::when(contains(set, entry.payload.clone()), then)
        };
        let batch = self.work.next(entries.iter().map(promote).collect());
        network
            .ledger
            .announce(&batch, vec![Meaning::Move; entries.len()]);
        Some(self.in_flight(network.now(), Call::Commit(batch)))
    }

    fn in_flight(&self, now: Timestamp, call: Call) -> InFlight {
        InFlight {
            call,
            since: now,
            is_push: false,
            ends: Vec::new(),
        }
    }

    fn receive(&mut self, network: &mut Network, sent: InFlight, reply: Reply) {
        match (sent.call, reply) {
            (Call::Commit(batch), Reply::Commit(commit)) => {
                self.committed(network, &batch, commit, sent.ends);
            }
            (Call::Turn(batch, _), Reply::Turn(commit, claim)) => {
                self.committed(network, &batch, commit, sent.ends);
                self.claimed(network, claim);
            }
            (Call::Claim(_), Reply::Claim(claim)) => self.claimed(network, claim),
            (Call::TakeOver { from, .. }, Reply::Claim(claim)) => {
                if let Claim::Taken { jobs, .. } = &claim {
                    network.ledger.recovered += jobs.len();
                    if jobs.is_empty() {
                        self.expired.retain(|owner| *owner != from);
                    }
                }
                self.claimed(network, claim);
            }
            (Call::Renew { .. }, Reply::Renewed(renewed)) => {
                self.expired = renewed.expired;
                self.renewed = Some(network.now());
                self.is_registered = true;
                if renewed.standing == Standing::Evicted {
                    self.begin_anew(network);
                }
            }
            (call, reply) => panic!("{call:?} was answered {reply:?}"),
        }
    }

    fn committed(
        &mut self,
        network: &mut Network,
        batch: &Batch,
        commit: Commit,
        ends: Vec<Claimed>,
    ) {
        let Commit::Done(results) = commit else {
            panic!("the lane has gone past its own last batch")
        };
        assert_eq!(results.len(), batch.txs.len());
        network.ledger.acknowledge(batch, &results);
        let failed = |result: &TxResult| matches!(result, TxResult::Failed { .. });
        let kept = ends
            .into_iter()
            .zip(&results)
            .filter(|(_, result)| failed(result));
        self.held.extend(kept.map(|(job, _)| job));
    }

    fn claimed(&mut self, network: &mut Network, claim: Claim) {
        match claim {
            Claim::Taken { jobs, .. } => self.held.extend(jobs),
            Claim::Evicted => self.begin_anew(network),
            Claim::Stale => panic!("the owner has gone past its own last call"),
        }
    }

    /// Gives up an id that was taken over: what it held is somebody else's by now.
    fn begin_anew(&mut self, network: &mut Network) {
        network.ledger.evictions += 1;
        *self = Self::new(Arc::clone(&self.store), network);
    }
}

impl Sequence {
    fn new() -> Self {
        Self {
            lane: Lane::random(),
            seq: 0,
        }
    }

    fn next(&mut self, txs: Vec<Tx>) -> Batch {
        self.seq += 1;
        Batch {
            lane: self.lane.clone(),
            seq: self.seq,
            txs,
        }
    }
}

/// A payload. Every move to another place counts up, so that no timed set ever sees the same bytes again.
fn payload(jid: Jid, queue: &str, moves: u32) -> Bytes {
    format!("{jid} {queue} {moves}").into()
}

fn parse(payload: &Bytes) -> (Jid, &str, u32) {
    let text = str::from_utf8(payload).expect("payloads are text");
    let mut parts = text.split(' ');
    let mut part = || parts.next().expect("payloads have three parts");
    (
        part().parse().expect("a jid"),
        part(),
        part().parse().expect("a count"),
    )
}

pub(super) fn jid_of(payload: &Bytes) -> Jid {
    parse(payload).0
}
