//! From a batch to the keys and arguments of `commit.lua`.

use std::collections::HashMap;
use std::time::Duration;

use fred::bytes::Bytes;
use fred::types::Value;

use super::keys::{Keys, day};
use crate::job::Timestamp;
use crate::store::{
    Batch, ClaimId, Effect, End, Guard, Key, Members, Place, PlaceName, RECEIPT_TTL, Stat, Tx,
};

/// The keys and arguments of a script.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    pub(super) keys: Vec<Bytes>,
    pub(super) args: Vec<Value>,
}

pub(super) fn commit(batch: &Batch, names: &Keys, now: Timestamp, given_time: Value) -> Encoded {
    let mut encoder = Encoder {
        names,
        day: day(now),
        keys: Vec::new(),
        types: String::new(),
        index: HashMap::new(),
        profiles: Vec::new(),
        args: Vec::with_capacity(batch.txs.len() * 2 + 16),
        groups: 0,
        claims: 0,
    };
    encoder.key(names.receipt(&batch.lane), 's');
    let mut txs = &batch.txs[..];
    while let [tx, rest @ ..] = txs {
        txs = match ends(tx) {
            Some(_) => encoder.group(txs),
            None => {
                encoder.transaction(tx);
                rest
            }
        };
    }
    encoder.finish(batch.seq, given_time)
}

struct Encoder<'a> {
    names: &'a Keys,
    day: String,
    keys: Vec<Bytes>,
    types: String,
    index: HashMap<Bytes, i64>,
    /// The counts that a transaction may bring about; few are ever different.
    profiles: Vec<Vec<(Stat, u64)>>,
    args: Vec<Value>,
    groups: i64,
    /// A key of claims that the batch ends, or 0.
    claims: i64,
}

/// How many payloads one command pushes at most: a table that is too long cannot be unpacked.
pub(super) const MOST_PUSHED: usize = 1_000;

/// Whether two effects push to the same end of the same queue.
fn is_one_push(one: &Effect, next: &Effect) -> bool {
    match (one, next) {
        (
            Effect::Put(_, Place::Queue { name, end }),
            Effect::Put(
                _,
                Place::Queue {
                    name: next_name,
                    end: next_end,
                },
            ),
        ) => end == next_end && name == next_name,
        _ => false,
    }
}

/// The claim of a transaction that only ends it.
fn ends(tx: &Tx) -> Option<&ClaimId> {
    match (&tx.when[..], &tx.then[..]) {
        ([Guard::Holds(held)], [Effect::Release(released), counts @ ..])
            if held == released
                && tx.otherwise.is_empty()
                && counts
                    .iter()
                    .all(|effect| matches!(effect, Effect::Count(..))) =>
        {
            Some(held)
        }
        _ => None,
    }
}

impl Encoder<'_> {
    /// Ends that follow each other, of one owner and with the same counts, are one group; gives what comes after them.
    fn group<'t>(&mut self, txs: &'t [Tx]) -> &'t [Tx] {
        let like = |tx: &Tx| ends(tx).map(|claim| claim.owner.clone());
        let owner = like(&txs[0]);
        let counts = &txs[0].then[1..];
        let count = txs
            .iter()
            .take_while(|tx| like(tx) == owner && tx.then[1..] == *counts)
            .count();
        let Some(claim) = ends(&txs[0]) else {
            return txs;
        };
        let claims = self.key(self.names.claims(&claim.owner), 'h');
        self.claims = claims;
        let profile = self.profile(&txs[0].then);
        self.groups += 1;
        self.args
            .extend([text("G"), claims.into(), profile.into(), size(count)]);
        let (group, rest) = txs.split_at(count);
        self.args.extend(
            group
                .iter()
                .filter_map(ends)
                .map(|claim| integer(claim.token.as_number())),
        );
        rest
    }

    fn transaction(&mut self, tx: &Tx) {
        let (profile, other) = (self.profile(&tx.then), self.profile(&tx.otherwise));
        self.groups += 1;
        self.args
            .extend([text("T"), profile.into(), other.into(), size(tx.when.len())]);
        let sizes = self.args.len();
        self.args.extend([Value::Null, Value::Null]);
        for guard in &tx.when {
            self.guard(guard);
        }
        self.args[sizes] = self.effects(&tx.then);
        self.args[sizes + 1] = self.effects(&tx.otherwise);
    }

    /// The number of operations that these effects come to: pushes to one end of one queue that follow each other are one.
    fn effects(&mut self, effects: &[Effect]) -> Value {
        let mut operations = 0_u64;
        for run in effects.chunk_by(is_one_push) {
            for part in run.chunks(MOST_PUSHED) {
                operations += match part {
                    [Effect::Put(_, Place::Queue { name, end }), ..] => {
                        self.push(name, *end, part);
                        1
                    }
                    // Summed over the batch: see `profile`.
                    [Effect::Count(..)] => 0,
                    part => {
                        part.iter().for_each(|effect| self.effect(effect));
                        part.len() as u64
                    }
                };
            }
        }
        integer(operations)
    }

    fn push(&mut self, name: &str, end: End, puts: &[Effect]) {
        let queue = self.key(self.names.queue(name), 'l');
        let queues = self.key(self.names.members(Members::Queues), 't');
        let op = match end {
            End::Tail => "l",
            End::Head => "r",
        };
        self.args.extend([
            text(op),
            queue.into(),
            queues.into(),
            name.to_owned().into(),
            size(puts.len()),
        ]);
        self.args.extend(puts.iter().filter_map(|put| match put {
            Effect::Put(payload, _) => Some(Value::Bytes(payload.clone())),
            _ => None,
        }));
    }

    fn guard(&mut self, guard: &Guard) {
        let args = match guard {
            Guard::Holds(ClaimId { owner, token }) => {
                let claims = self.key(self.names.claims(owner), 'h');
                self.claims = claims;
                [text("h"), claims.into(), integer(token.as_number())]
            }
            Guard::Contains(place, payload) => {
                let op = match place {
                    PlaceName::Queue(_) => "p",
                    PlaceName::Timed(_) => "c",
                };
                [
                    text(op),
                    self.place(place).into(),
                    Value::Bytes(payload.clone()),
                ]
            }
            Guard::Absent(key) => [text("a"), self.note(key, '?').into(), text("")],
            Guard::AbsentField(key, field) => {
                let key = self.note(key, 'h');
                [text("e"), key.into(), field.to_string().into()]
            }
            Guard::EqualsField(key, field, _) => {
                let key = self.note(key, 'h');
                [text("m"), key.into(), field.to_string().into()]
            }
        };
        self.args.extend(args);
        if let Guard::EqualsField(_, _, value) = guard {
            self.args.push(Value::Bytes(value.clone()));
        }
    }

    fn effect(&mut self, effect: &Effect) {
        match effect {
            Effect::Put(_, Place::Queue { name, end }) => {
                self.push(name, *end, std::slice::from_ref(effect));
            }
            Effect::Put(payload, Place::Timed { set, at }) => {
                let key = self.key(self.names.timed(*set), 'z');
                self.args.extend([
                    text("z"),
                    key.into(),
                    at.to_string().into(),
                    Value::Bytes(payload.clone()),
                ]);
            }
            Effect::Take(place, payload) => {
                let op = match place {
                    PlaceName::Queue(_) => "y",
                    PlaceName::Timed(_) => "x",
                };
                let key = self.place(place);
                self.args
                    .extend([text(op), key.into(), Value::Bytes(payload.clone())]);
            }
            Effect::Release(ClaimId { owner, token }) => {
                let key = self.key(self.names.claims(owner), 'h');
                self.args
                    .extend([text("d"), key.into(), integer(token.as_number())]);
            }
            Effect::Join(set, member) => {
                let key = self.key(self.names.members(*set), 't');
                self.args
                    .extend([text("j"), key.into(), member.to_string().into()]);
            }
            Effect::Leave(set, member) => {
                let key = self.key(self.names.members(*set), 't');
                self.args
                    .extend([text("k"), key.into(), member.to_string().into()]);
            }
            Effect::Trim { set, before, keep } => {
                let key = self.key(self.names.timed(*set), 'z');
                self.args.extend([
                    text("t"),
                    key.into(),
                    before.to_string().into(),
                    integer(*keep),
                ]);
            }
            Effect::Clear(place) => {
                let key = self.place(place);
                self.args.extend([text("u"), key.into()]);
            }
            Effect::Reset(stat) => {
                let key = self.key(self.names.counter(*stat, None), 's');
                self.args.extend([text("u"), key.into()]);
            }
            Effect::Unset(key) => {
                let key = self.note(key, '?');
                self.args.extend([text("u"), key.into()]);
            }
            Effect::Set { .. }
            | Effect::SetFields { .. }
            | Effect::AddFields { .. }
            | Effect::Observe { .. }
            | Effect::Append { .. }
            | Effect::Strike { .. } => self.keep(effect),
            // Summed over the batch: see `profile`.
            Effect::Count(..) => {}
        }
    }

    /// What is kept beside the jobs.
    fn keep(&mut self, effect: &Effect) {
        let several = |op, key: i64, ttl: Option<Duration>, n: usize| {
            [text(op), key.into(), millis(ttl), size(n)]
        };
        match effect {
            Effect::Set { key, value, ttl } => {
                let key = self.note(key, 's');
                let value = Value::Bytes(value.clone());
                self.args
                    .extend([text("s"), key.into(), millis(*ttl), value]);
            }
            Effect::SetFields { key, fields, ttl } => {
                let key = self.note(key, 'h');
                self.args.extend(several("f", key, *ttl, fields.len()));
                for (field, value) in fields {
                    self.args
                        .extend([field.to_string().into(), Value::Bytes(value.clone())]);
                }
            }
            Effect::AddFields { key, fields, ttl } => {
                let key = self.note(key, 'h');
                self.args
                    .extend(several("i", key, Some(*ttl), fields.len()));
                for (field, n) in fields {
                    self.args.extend([field.to_string().into(), integer(*n)]);
                }
            }
            Effect::Observe { key, counts, ttl } => {
                let key = self.note(key, 's');
                self.args
                    .extend(several("b", key, Some(*ttl), counts.len()));
                for (bucket, n) in counts {
                    self.args
                        .extend([integer((*bucket).into()), integer((*n).into())]);
                }
            }
            Effect::Append { key, item, ttl } => {
                let key = self.note(key, 'l');
                let item = Value::Bytes(item.clone());
                self.args
                    .extend([text("q"), key.into(), millis(Some(*ttl)), item]);
            }
            Effect::Strike { key, item } => {
                let key = self.note(key, 'l');
                self.args
                    .extend([text("o"), key.into(), Value::Bytes(item.clone())]);
            }
            _ => {}
        }
    }

    fn place(&mut self, place: &PlaceName) -> i64 {
        let kind = match place {
            PlaceName::Queue(_) => 'l',
            PlaceName::Timed(_) => 'z',
        };
        self.key(self.names.place(place), kind)
    }

    fn note(&mut self, key: &Key, kind: char) -> i64 {
        self.key(self.names.note(key), kind)
    }

    /// The number of the profile with the counts of these effects; 0 where there are none.
    fn profile(&mut self, effects: &[Effect]) -> i64 {
        let counts: Vec<_> = effects
            .iter()
            .filter_map(|effect| {
                if let Effect::Count(stat, n) = effect {
                    Some((*stat, *n))
                } else {
                    None
                }
            })
            .collect();
        if counts.is_empty() {
            return 0;
        }
        let known = self.profiles.iter().position(|known| *known == counts);
        let index = known.unwrap_or_else(|| {
            self.profiles.push(counts);
            self.profiles.len() - 1
        });
        i64::try_from(index + 1).unwrap_or(i64::MAX)
    }

    /// The number of a key, from 1.
    fn key(&mut self, key: Bytes, kind: char) -> i64 {
        if let Some(index) = self.index.get(&key) {
            let index = *index;
            self.learn(index, kind);
            return index;
        }
        self.keys.push(key.clone());
        self.types.push(kind);
        let index = i64::try_from(self.keys.len()).unwrap_or(i64::MAX);
        self.index.insert(key, index);
        index
    }

    /// What a key holds may be told after it was named as one that may hold anything. One that is named as two kinds is good
    /// for none: what fails half-way cannot be taken back.
    fn learn(&mut self, index: i64, kind: char) {
        let at = usize::try_from(index - 1).unwrap_or(0);
        let known = self.types.as_bytes().get(at).copied().map(char::from);
        if kind == '?' || known == Some(kind) {
            return;
        }
        let kind = if known == Some('?') { kind } else { '!' };
        self.types
            .replace_range(at..=at, kind.encode_utf8(&mut [0; 4]));
    }

    fn finish(mut self, seq: u64, given_time: Value) -> Encoded {
        let mut profiles = Vec::new();
        let all = std::mem::take(&mut self.profiles);
        let count = size(all.len());
        for counts in all {
            profiles.push(size(counts.len()));
            for (stat, n) in counts {
                let day = self.day.clone();
                let total = self.key(self.names.counter(stat, None), 's');
                let daily = self.key(self.names.counter(stat, Some(&day)), 's');
                profiles.extend([total.into(), daily.into(), integer(n)]);
            }
        }
        let mut args = vec![
            Value::from(self.types),
            integer(seq),
            receipt_ttl(),
            self.claims.into(),
            count,
            self.groups.into(),
            given_time,
        ];
        args.extend(profiles);
        args.extend(self.args);
        Encoded {
            keys: self.keys,
            args,
        }
    }
}

/// How long a receipt is kept.
pub(super) fn receipt_ttl() -> Value {
    Value::from(i64::try_from(RECEIPT_TTL.as_millis()).unwrap_or(i64::MAX))
}

fn text(text: &'static str) -> Value {
    Value::from_static_str(text)
}

pub(super) fn integer(n: u64) -> Value {
    Value::Integer(i64::try_from(n).unwrap_or(i64::MAX))
}

/// Milliseconds; empty where there are none. Redis refuses a time of nothing, and one that ends after the last that it knows.
fn millis(ttl: Option<Duration>) -> Value {
    const MOST: i64 = i64::MAX / 4;
    ttl.map_or(text(""), |ttl| {
        Value::Integer(i64::try_from(ttl.as_millis()).map_or(MOST, |ms| ms.clamp(1, MOST)))
    })
}

pub(super) fn size(n: usize) -> Value {
    integer(n as u64)
}
