//! What a program is made of, and how programs are drawn.

use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sancho::store::{
    Effect, End, Guard, Members, PlaceName, RECEIPT_TTL, Registration, Stat, TimedSet,
};
use sancho_tests::LEASE;

use super::{LANES, OWNERS, QUEUES};

/// The keys of what is kept beside the jobs, one for each kind.
pub(super) const NOTES: [&str; 5] = ["text", "hash", "numbers", "histogram", "list"];

/// Longer than any program lasts.
const YEARS: Duration = Duration::from_secs(5 * 365 * 24 * 60 * 60);

#[derive(Clone, Debug)]
pub(super) enum Op {
    Commit(BatchPlan),
    Claim(RequestPlan),
    Turn(BatchPlan, RequestPlan),
    TakeOver {
        owner: usize,
        number: Number,
        from: usize,
        limit: usize,
    },
    Renew {
        owner: usize,
        lease: Duration,
        registration: Registration,
    },
    Due {
        set: TimedSet,
        at: i64,
        limit: usize,
    },
    /// The process of this place gives up its id for a new one.
    NewOwner {
        owner: usize,
    },
    Pass {
        time: Duration,
    },
}

/// Which sequence number a call has, as seen from the last one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Next,
    Skip,
    Repeat,
    Older,
}

#[derive(Clone, Debug)]
pub(super) struct BatchPlan {
    pub(super) lane: usize,
    pub(super) number: Number,
    pub(super) txs: Vec<TxPlan>,
}

#[derive(Clone, Debug)]
pub(super) struct RequestPlan {
    pub(super) owner: usize,
    pub(super) number: Number,
    pub(super) sources: Vec<(usize, usize)>,
    pub(super) limit: usize,
}

#[derive(Clone, Debug)]
pub(super) struct TxPlan {
    pub(super) when: Vec<GuardPlan>,
    pub(super) then: EffectsPlan,
    pub(super) otherwise: EffectsPlan,
}

#[derive(Clone, Debug)]
pub(super) enum GuardPlan {
    Holds(ClaimPlan),
    Contains(PlaceName, usize),
    Kept(Guard),
}

/// The `nth` claim that an owner holds when the program comes here.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClaimPlan {
    pub(super) owner: usize,
    pub(super) nth: usize,
}

/// Effects in the order in which a transaction must have them.
#[derive(Clone, Debug, Default)]
pub(super) struct EffectsPlan {
    pub(super) puts: Vec<PutPlan>,
    pub(super) takes: Vec<(PlaceName, usize)>,
    pub(super) releases: Vec<ClaimPlan>,
    pub(super) rest: Vec<Effect>,
    pub(super) trims: Vec<(TimedSet, i64, u64)>,
    pub(super) notes: Vec<Effect>,
    pub(super) counts: Vec<(Stat, u64)>,
}

#[derive(Clone, Debug)]
pub(super) enum PutPlan {
    Queue {
        payload: usize,
        queue: usize,
        end: End,
    },
    Timed {
        payload: usize,
        set: TimedSet,
        at: i64,
    },
    Join(Members, usize),
}

impl Number {
    pub(super) fn after(self, last: &mut u64) -> u64 {
        match self {
            Self::Next => *last += 1,
            Self::Skip => *last += 3,
            Self::Repeat => *last = (*last).max(1),
            Self::Older => return last.saturating_sub(1).max(1),
        }
        *last
    }
}

pub(super) fn payload_of(index: usize) -> Bytes {
    const PAYLOADS: [&[u8]; 8] = [
        b"1",
        b"2",
        b"3",
        b"",
        b"\0\xff",
        b"{\"a\":[]}",
        b"10",
        "käse".as_bytes(),
    ];
    Bytes::from_static(PAYLOADS[index])
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let lease = select(vec![
        Duration::ZERO,
        Duration::from_millis(1_500),
        LEASE,
        LEASE,
        LEASE,
    ]);
    let registration = select(vec![
        Registration::First,
        Registration::First,
        Registration::Known,
    ]);
    let time = select(vec![
        Duration::from_millis(1),
        Duration::from_millis(1_500),
        Duration::from_secs(6),
        LEASE,
        RECEIPT_TTL,
        Duration::from_secs(24 * 3_600),
    ]);
    prop_oneof![
        6 => batch().prop_map(Op::Commit),
        4 => request().prop_map(Op::Claim),
        4 => (batch(), request()).prop_map(|(batch, request)| Op::Turn(batch, request)),
        4 => (0..OWNERS, number(), 0..OWNERS, 0..4_usize)
            .prop_map(|(owner, number, from, limit)| Op::TakeOver { owner, number, from, limit }),
        5 => (0..OWNERS, lease, registration)
            .prop_map(|(owner, lease, registration)| Op::Renew { owner, lease, registration }),
        1 => (set(), -2..6_i64, 0..5_usize).prop_map(|(set, at, limit)| Op::Due { set, at, limit }),
        1 => (0..OWNERS).prop_map(|owner| Op::NewOwner { owner }),
        3 => time.prop_map(|time| Op::Pass { time }),
    ]
}

fn batch() -> impl Strategy<Value = BatchPlan> {
    (0..LANES, number(), vec(tx(), 0..5)).prop_map(|(lane, number, txs)| BatchPlan {
        lane,
        number,
        txs,
    })
}

fn request() -> impl Strategy<Value = RequestPlan> {
    (
        0..OWNERS,
        number(),
        vec((0..QUEUES.len(), 0..3_usize), 0..4),
        0..5_usize,
    )
        .prop_map(|(owner, number, sources, limit)| RequestPlan {
            owner,
            number,
            sources,
            limit,
        })
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        8 => Just(Number::Next),
        1 => Just(Number::Skip),
        2 => Just(Number::Repeat),
        1 => Just(Number::Older),
    ]
}

fn set() -> impl Strategy<Value = TimedSet> {
    select(TimedSet::ALL.to_vec())
}

fn place() -> impl Strategy<Value = PlaceName> {
    prop_oneof![
        3 => set().prop_map(PlaceName::Timed),
        1 => (0..QUEUES.len()).prop_map(|queue| PlaceName::queue(QUEUES[queue])),
    ]
}

fn tx() -> impl Strategy<Value = TxPlan> {
    let guard = prop_oneof![
        claim().prop_map(GuardPlan::Holds),
        (place(), 0..8_usize).prop_map(|(place, payload)| GuardPlan::Contains(place, payload)),
        select(NOTES.to_vec()).prop_map(|key| GuardPlan::Kept(Guard::Absent(key.into()))),
        field().prop_map(|field| GuardPlan::Kept(Guard::AbsentField("hash".into(), field))),
        (field(), 0..8_usize).prop_map(|(field, value)| {
            GuardPlan::Kept(Guard::EqualsField("hash".into(), field, payload_of(value)))
        }),
    ];
    let any = (vec(guard, 0..3), effects(), effects()).prop_map(|(when, then, otherwise)| TxPlan {
        when,
        then,
        otherwise,
    });
    // What ends a claim and does nothing else: stores treat it apart.
    let ends = (claim(), counts()).prop_map(|(claim, counts)| TxPlan {
        when: vec![GuardPlan::Holds(claim)],
        then: EffectsPlan {
            releases: vec![claim],
            counts,
            ..EffectsPlan::default()
        },
        otherwise: EffectsPlan::default(),
    });
    prop_oneof![3 => any, 2 => ends]
}

fn claim() -> impl Strategy<Value = ClaimPlan> {
    (0..OWNERS, 0..4_usize).prop_map(|(owner, nth)| ClaimPlan { owner, nth })
}

fn effects() -> impl Strategy<Value = EffectsPlan> {
    let end = select(vec![End::Head, End::Tail]);
    let put = prop_oneof![
        6 => (0..8_usize, 0..QUEUES.len(), end)
            .prop_map(|(payload, queue, end)| PutPlan::Queue { payload, queue, end }),
        4 => (0..8_usize, set(), -2..6_i64)
            .prop_map(|(payload, set, at)| PutPlan::Timed { payload, set, at }),
        1 => (members(), 0..QUEUES.len()).prop_map(|(set, name)| PutPlan::Join(set, name)),
    ];
    let forget = prop_oneof![
        3 => (members(), 0..QUEUES.len())
            .prop_map(|(set, name)| Effect::Leave(set, QUEUES[name].into())),
        1 => place().prop_map(Effect::Clear),
        1 => select(NOTES.to_vec()).prop_map(|key| Effect::Unset(key.into())),
    ];
    (
        vec(put, 0..4),
        vec((place(), 0..8_usize), 0..2),
        vec(claim(), 0..2),
        vec(forget, 0..2),
        vec((set(), -2..6_i64, 0..4_u64), 0..2),
        vec(note(), 0..3),
        counts(),
    )
        .prop_map(
            |(puts, takes, releases, rest, trims, notes, counts)| EffectsPlan {
                puts,
                takes,
                releases,
                rest,
                trims,
                notes,
                counts,
            },
        )
}

/// What is kept beside the jobs. Each kind has a key of its own; none runs out here, since Redis has no test clock for that.
fn note() -> impl Strategy<Value = Effect> {
    let value = || (0..8_usize).prop_map(payload_of);
    let ttl = || select(vec![None, Some(YEARS)]);
    prop_oneof![
        (value(), ttl()).prop_map(|(value, ttl)| Effect::Set {
            key: "text".into(),
            value,
            ttl
        }),
        (vec((field(), value()), 1..3), ttl()).prop_map(|(fields, ttl)| Effect::SetFields {
            key: "hash".into(),
            fields,
            ttl,
        }),
        vec((field(), 0..5_u64), 1..3).prop_map(|fields| Effect::AddFields {
            key: "numbers".into(),
            fields,
            ttl: YEARS,
        }),
        vec((0..4_u8, select(vec![1_u16, 300, u16::MAX])), 1..3).prop_map(|counts| {
            Effect::Observe {
                key: "histogram".into(),
                counts,
                ttl: YEARS,
            }
        }),
        value().prop_map(|item| Effect::Append {
            key: "list".into(),
            item,
            ttl: YEARS
        }),
        value().prop_map(|item| Effect::Strike {
            key: "list".into(),
            item
        }),
    ]
}

fn field() -> impl Strategy<Value = Box<str>> {
    select(vec!["a", "", "käse|p"]).prop_map(Into::into)
}

fn counts() -> impl Strategy<Value = Vec<(Stat, u64)>> {
    vec((select(Stat::ALL.to_vec()), 0..4_u64), 0..2)
}

fn members() -> impl Strategy<Value = Members> {
    select(Members::ALL.to_vec())
}
