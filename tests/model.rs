//! Random programs run on a store and on the reference model, under one clock: every answer and everything that can be
//! looked at must be the same. A program that tells them apart is shrunk and printed.
//!
//! `SANCHO_MODEL_CASES` sets the number of programs for each store.

use std::collections::HashMap;
use std::env;
use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sancho::job::Timestamp;
use sancho::store::memory::MemoryStore;
use sancho::store::{
    Batch, Census, Claim, ClaimId, ClaimRequest, Claimed, Commit, Due, Effect, Entry, Fields,
    Guard, Key, Lane, Members, Order, Owner, OwnerInfo, Place, PlaceName, Registration, Renewed,
    Source, Stat, Store, TimedSet, Token, Tx,
};
use sancho_tests::{Clock, Fixture, Kind};

use self::program::{
    BatchPlan, ClaimPlan, EffectsPlan, GuardPlan, NOTES, Op, PutPlan, RequestPlan, TxPlan, op,
    payload_of,
};

mod program;

const CASES: u32 = 48;
const QUEUES: [&str; 3] = ["a", "b:b", "ä *"];
const OWNERS: usize = 3;
const LANES: usize = 2;

#[test]
fn redis_is_as_the_model() {
    compare(Kind::Redis);
}

#[test]
fn sqlite_is_as_the_model() {
    compare(Kind::Sqlite);
}

fn compare(kind: Kind) {
    let cases = env::var("SANCHO_MODEL_CASES").ok();
    let cases = cases.map_or(CASES, |cases| {
        cases.parse().expect("SANCHO_MODEL_CASES is a number")
    });
    let config = Config {
        cases,
        max_shrink_iters: 4_000,
        failure_persistence: None,
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let outcome = TestRunner::new(config).run(&vec(op(), 1..60), |program| {
        runtime.block_on(async { World::new(kind).await.run(program).await })
    });
    if let Err(difference) = outcome {
        panic!("{difference}");
    }
}

/// A store, the model, and the processes that use both.
struct World {
    store: Fixture,
    model: MemoryStore,
    clock: Clock,
    owners: Vec<(Owner, u64)>,
    /// Each with its last number and every batch that it ever sent: what is sent again under a number is the same.
    lanes: Vec<(Lane, u64, HashMap<u64, Batch>)>,
    /// Every id that was ever used.
    ids: Vec<Owner>,
}

#[derive(Debug, PartialEq)]
enum Reply {
    Commit(Commit),
    Claim(Claim),
    Turn(Commit, Claim),
    Renewed(Renewed),
    Due(Due),
    Nothing,
}

/// Everything that can be looked at.
#[derive(Debug, PartialEq)]
struct Dump {
    places: Vec<(PlaceName, Vec<Entry>)>,
    found: Vec<Option<Timestamp>>,
    census: Census,
    owners: Vec<OwnerInfo>,
    claims: Vec<(Owner, Vec<Claimed>)>,
    members: Vec<(Members, Vec<String>)>,
    counters: Vec<(Stat, u64, u64)>,
    scanned: Vec<Entry>,
    values: Vec<Option<Bytes>>,
    fields: Vec<Fields>,
    list: Vec<Bytes>,
}

impl World {
    async fn new(kind: Kind) -> Self {
        let clock = Clock::new();
        let owners: Vec<_> = (0..OWNERS)
            .map(|n| (Owner::from_text(&format!("o{n}")), 0))
            .collect();
        Self {
            store: Fixture::with_clock(kind, clock.clone()).await,
            model: MemoryStore::with_clock(clock.source()),
            ids: owners.iter().map(|(owner, _)| owner.clone()).collect(),
            owners,
            lanes: (0..LANES)
                .map(|n| (Lane::from_text(&format!("l{n}")), 0, HashMap::new()))
                .collect(),
            clock,
        }
    }

    async fn run(mut self, program: Vec<Op>) -> Result<(), TestCaseError> {
        for op in program {
            let call = self.resolve(&op).await;
            let expected = call.send(&self.model).await;
            prop_assert_eq!(
                call.send(&*self.store).await,
                expected,
                "the answer to {:?}",
                op
            );
            let expected = self.dump(&self.model).await;
            prop_assert_eq!(self.dump(&*self.store).await, expected, "after {:?}", op);
        }
        Ok(())
    }

    /// Makes a call of a plan, and moves the sequences, the ids and the clock on.
    async fn resolve(&mut self, op: &Op) -> Call {
        match op {
            Op::Commit(batch) => Call::Commit(self.batch(batch).await),
            Op::Claim(request) => Call::Claim(self.request(request)),
            Op::Turn(batch, request) => Call::Turn(self.batch(batch).await, self.request(request)),
            Op::TakeOver {
                owner,
                number,
                from,
                limit,
            } => {
                let from = self.owners[*from].0.clone();
                let (owner, last) = &mut self.owners[*owner];
                Call::TakeOver {
                    owner: owner.clone(),
                    seq: number.after(last),
                    from,
                    limit: *limit,
                }
            }
            Op::Renew {
                owner,
                lease,
                registration,
            } => Call::Renew {
                owner: self.owners[*owner].0.clone(),
                lease: *lease,
                registration: *registration,
            },
            Op::Due { set, at, limit } => Call::Due {
                set: *set,
                at: seconds(self.clock.now(), *at),
                limit: *limit,
            },
            Op::NewOwner { owner } => {
                let id = Owner::from_text(&format!("o{}", self.ids.len()));
                self.ids.push(id.clone());
                self.owners[*owner] = (id, 0);
                Call::Nothing
            }
            Op::Pass { time } => {
                self.clock.advance(*time);
                Call::Nothing
            }
        }
    }

    async fn batch(&mut self, plan: &BatchPlan) -> Batch {
        let mut txs = Vec::new();
        for tx in &plan.txs {
            txs.push(self.tx(tx).await);
        }
        let (lane, last, sent) = &mut self.lanes[plan.lane];
        let seq = plan.number.after(last);
        let new = || Batch {
            lane: lane.clone(),
            seq,
            txs,
        };
        sent.entry(seq).or_insert_with(new).clone()
    }

    fn request(&mut self, plan: &RequestPlan) -> ClaimRequest {
        let (owner, last) = &mut self.owners[plan.owner];
        let source = |(queue, share): &(usize, usize)| Source {
            queue: QUEUES[*queue].into(),
            share: *share,
        };
        ClaimRequest {
            owner: owner.clone(),
            seq: plan.number.after(last),
            sources: plan.sources.iter().map(source).collect(),
            limit: plan.limit,
        }
    }

    async fn tx(&self, plan: &TxPlan) -> Tx {
        let mut when = Vec::new();
        for guard in &plan.when {
            when.push(match guard {
                GuardPlan::Holds(claim) => Guard::Holds(self.claim(*claim).await),
                GuardPlan::Contains(place, payload) => {
                    Guard::Contains(place.clone(), payload_of(*payload))
                }
                GuardPlan::Kept(guard) => guard.clone(),
            });
        }
        let (then, otherwise) = (
            self.effects(&plan.then).await,
            self.effects(&plan.otherwise).await,
        );
        Tx {
            when,
            then,
            otherwise,
        }
    }

    async fn effects(&self, plan: &EffectsPlan) -> Vec<Effect> {
        let now = self.clock.now();
        let put = |put: &PutPlan| match put {
            PutPlan::Queue {
                payload,
                queue,
                end,
            } => Effect::Put(
                payload_of(*payload),
                Place::Queue {
                    name: QUEUES[*queue].into(),
                    end: *end,
                },
            ),
            PutPlan::Timed { payload, set, at } => Effect::Put(
                payload_of(*payload),
                Place::Timed {
                    set: *set,
                    at: seconds(now, *at),
                },
            ),
            PutPlan::Join(set, name) => Effect::Join(*set, QUEUES[*name].into()),
        };
        let mut effects: Vec<_> = plan.puts.iter().map(put).collect();
        effects.extend(
            plan.takes
                .iter()
                .map(|(place, payload)| Effect::Take(place.clone(), payload_of(*payload))),
        );
        for claim in &plan.releases {
            effects.push(Effect::Release(self.claim(*claim).await));
        }
        effects.extend(plan.rest.iter().cloned());
        effects.extend(plan.trims.iter().map(|(set, before, keep)| Effect::Trim {
            set: *set,
            before: seconds(now, *before),
            keep: *keep,
        }));
        effects.extend(plan.notes.iter().cloned());
        effects.extend(plan.counts.iter().map(|(stat, n)| Effect::Count(*stat, *n)));
        effects
    }

    /// The claim that a plan means; one that nobody holds where the owner has none.
    async fn claim(&self, plan: ClaimPlan) -> ClaimId {
        let owner = self.owners[plan.owner].0.clone();
        let held = ask(sancho::store::Inspect::claims(&self.model, &owner, 99)).await;
        let token = match held.len() {
            0 => Token::new(1, 0),
            n => held[plan.nth % n].token,
        };
        ClaimId { owner, token }
    }

    async fn dump(&self, store: &dyn Store) -> Dump {
        let mut places = Vec::new();
        let queues = QUEUES.map(|name| PlaceName::Queue(name.into()));
        for place in queues
            .into_iter()
            .chain(TimedSet::ALL.map(PlaceName::Timed))
        {
            let mut entries = Vec::new();
            let mut cursor = Some(0);
            while let Some(from) = cursor {
                let page = ask(store.page(&place, Order::Forward, from, 3)).await;
                entries.extend(page.entries);
                cursor = page.next;
            }
            places.push((place, entries));
        }
        let mut found = Vec::new();
        for set in TimedSet::ALL {
            found.push(ask(store.find(set, &payload_of(0))).await);
        }
        let mut claims = Vec::new();
        for owner in &self.ids {
            claims.push((owner.clone(), ask(store.claims(owner, 99)).await));
        }
        let mut members = Vec::new();
        for set in Members::ALL {
            members.push((set, ask(store.members(set)).await));
        }
        let mut counters = Vec::new();
        for stat in Stat::ALL {
            let today = ask(store.counter(stat, Some("2026-11-24"))).await;
            counters.push((stat, ask(store.counter(stat, None)).await, today));
        }
        let mut scanned = Vec::new();
        let mut cursor = Some(0);
        while let Some(from) = cursor {
            let page = ask(store.scan(TimedSet::Retry, "1", from, 2)).await;
            scanned.extend(page.entries);
            cursor = page.next;
        }
        scanned.sort_by(|a, b| (a.at, &a.payload).cmp(&(b.at, &b.payload)));
        let keys = NOTES.map(Key::from);
        let [text, hash, numbers, histogram, list] = &keys;
        let census = ask(store.census()).await;
        let owners = ask(store.owners()).await;
        Dump {
            places,
            found,
            census,
            owners,
            claims,
            members,
            counters,
            scanned,
            values: ask(store.values(&[text.clone(), histogram.clone()])).await,
            fields: ask(store.fields(&[hash.clone(), numbers.clone()])).await,
            list: ask(store.list(list)).await,
        }
    }
}

/// A call with everything filled in, to be made to both stores.
enum Call {
    Commit(Batch),
    Claim(ClaimRequest),
    Turn(Batch, ClaimRequest),
    TakeOver {
        owner: Owner,
        seq: u64,
        from: Owner,
        limit: usize,
    },
    Renew {
        owner: Owner,
        lease: Duration,
        registration: Registration,
    },
    Due {
        set: TimedSet,
        at: Timestamp,
        limit: usize,
    },
    Nothing,
}

impl Call {
    async fn send(&self, store: &dyn Store) -> Reply {
        match self {
            Self::Commit(batch) => Reply::Commit(ask(store.commit(batch)).await),
            Self::Claim(request) => Reply::Claim(ask(store.claim(request)).await),
            Self::Turn(batch, request) => {
                let (commit, claim) = ask(store.turn(batch, request)).await;
                Reply::Turn(commit, claim)
            }
            Self::TakeOver {
                owner,
                seq,
                from,
                limit,
            } => Reply::Claim(ask(store.take_over(owner, *seq, from, *limit)).await),
            Self::Renew {
                owner,
                lease,
                registration,
            } => Reply::Renewed(ask(store.renew(owner, *lease, *registration)).await),
            Self::Due { set, at, limit } => Reply::Due(ask(store.due(*set, *at, *limit)).await),
            Self::Nothing => Reply::Nothing,
        }
    }
}

async fn ask<T>(answer: sancho::store::Answer<'_, T>) -> T {
    answer.await.expect("the store answers")
}

fn seconds(now: Timestamp, offset: i64) -> Timestamp {
    Timestamp::from_micros(now.as_micros() + offset * 1_000_000)
}
