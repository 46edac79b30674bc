//! The data API on every store, on what our processes and Ruby's write.

mod deploys;
mod iterations;
mod metrics;
mod processes;
mod queues;
mod relocation;
mod search;
mod sets;
mod stats;
mod sweeps;
mod work;

use std::time::Duration;

use bytes::Bytes;
use sancho::api::{ApiError, JobRecord};
use sancho::job::Timestamp;
use sancho::store::{Effect, Key, TimedSet, Tx};
use sancho_tests::effects::{tail, timed};

use crate::harness::Flow;

/// Lets effects happen, as any process might.
async fn apply(flow: &Flow, effects: Vec<Effect>) {
    let mut tx = Tx::always(effects);
    tx.put_in_order();
    flow.apply(tx.then).await;
}

/// The payload of a job of 8 with this id.
fn payload(jid: &str) -> String {
    format!(
        r#"{{"retry":true,"queue":"default","args":["{jid}"],"class":"PlainJob","jid":"{jid}","created_at":1795469264488,"enqueued_at":1795469264488}}"#
    )
}

/// Pushes jobs with these ids.
async fn push(flow: &Flow, queue: &str, jids: &[&str]) {
    let effects = jids.iter().map(|jid| tail(queue, payload(jid)));
    apply(flow, effects.collect()).await;
}

/// Puts jobs with these ids into a set, so many seconds from now.
async fn put(flow: &Flow, set: TimedSet, jids: &[(&str, u64)]) {
    let at = |seconds| flow.now().after(Duration::from_secs(seconds));
    let effects = jids
        .iter()
        .map(|(jid, seconds)| timed(set, at(*seconds), payload(jid)));
    apply(flow, effects.collect()).await;
}

/// A hash as a process writes it, for a minute.
fn hash(key: Key, fields: &[(&str, &str)]) -> Effect {
    let field = |(name, value): &(&str, &str)| {
        let value = Bytes::copy_from_slice(value.as_bytes());
        ((*name).into(), value)
    };
    Effect::SetFields {
        key,
        fields: fields.iter().map(field).collect(),
        ttl: Some(Duration::from_secs(60)),
    }
}

fn jid(job: &JobRecord) -> String {
    job.jid().as_str().to_owned()
}

fn ms(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// The text of what is refused as it makes no sense.
#[track_caller]
fn invalid<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
    match result.unwrap_err() {
        ApiError::Invalid(what) => what,
        other => panic!("not invalid: {other:?}"),
    }
}
