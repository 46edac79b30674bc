//! From a batch that only pushes to the keys and arguments of `push.lua`: the way of every `perform_async`.

use std::sync::Arc;

use fred::bytes::Bytes;
use fred::types::Value;

use super::encode::{Encoded, MOST_PUSHED, integer, receipt_ttl, size};
use super::keys::Keys;
use crate::store::{Batch, Effect, End, Members, Place, Tx};

/// Transactions that follow each other and push to the same queue.
struct Group<'a> {
    queue: &'a Arc<str>,
    transactions: usize,
    payloads: Vec<&'a Bytes>,
}

/// `None` where a transaction does anything else, or pushes to several queues.
pub(super) fn encode(batch: &Batch, names: &Keys, given_time: Value) -> Option<Encoded> {
    let groups = groups(&batch.txs)?;
    let mut keys = vec![names.receipt(&batch.lane), names.members(Members::Queues)];
    let mut known: Vec<&Arc<str>> = Vec::new();
    let payloads: usize = groups.iter().map(|group| group.payloads.len()).sum();
    let mut args = Vec::with_capacity(4 + 4 * groups.len() + payloads);
    args.extend([
        integer(batch.seq),
        receipt_ttl(),
        given_time,
        size(groups.len()),
    ]);
    for group in groups {
        let index = known.iter().position(|queue| *queue == group.queue);
        let index = index.unwrap_or_else(|| {
            keys.push(names.queue(group.queue));
            known.push(group.queue);
            known.len() - 1
        });
        args.extend([
            size(index + 3),
            group.queue.to_string().into(),
            size(group.transactions),
            size(group.payloads.len()),
        ]);
        args.extend(group.payloads.into_iter().cloned().map(Value::Bytes));
    }
    Some(Encoded { keys, args })
}

fn groups(txs: &[Tx]) -> Option<Vec<Group<'_>>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for tx in txs {
        let queue = queue_of(tx)?;
        let room = |group: &&mut Group<'_>| {
            group.queue == queue && group.payloads.len() + tx.then.len() <= MOST_PUSHED
        };
        let payloads = tx
            .then
            .iter()
            .filter_map(pushed)
            .map(|(payload, _)| payload);
        match groups.last_mut().filter(room) {
            Some(group) => {
                group.transactions += 1;
                group.payloads.extend(payloads);
            }
            None => groups.push(Group {
                queue,
                transactions: 1,
                payloads: payloads.collect(),
            }),
        }
    }
    Some(groups)
}

/// The one queue that a transaction pushes to, if it does nothing else.
fn queue_of(tx: &Tx) -> Option<&Arc<str>> {
    if !tx.when.is_empty() || !tx.otherwise.is_empty() || tx.then.len() > MOST_PUSHED {
        return None;
    }
    let (_, queue) = pushed(tx.then.first()?)?;
    let same = |effect| pushed(effect).is_some_and(|(_, other)| other == queue);
    tx.then.iter().all(same).then_some(queue)
}

fn pushed(effect: &Effect) -> Option<(&Bytes, &Arc<str>)> {
    match effect {
        Effect::Put(
            payload,
            Place::Queue {
                name,
                end: End::Tail,
            },
        ) => Some((payload, name)),
        _ => None,
    }
}
