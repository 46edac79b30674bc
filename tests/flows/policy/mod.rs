//! What a job's attribute says about its failures.

mod exhausted;
mod retry_in;
mod rules;
mod state;

use std::fmt;
use std::time::Duration;

use sancho::runtime::ServerBuilder;
use sancho::store::{Entry, TimedSet};

use crate::harness::{Flow, Running};

/// What the jobs here fail with.
#[derive(Clone, Copy, Debug, PartialEq)]
enum MailError {
    RateLimit,
    Temporary,
    Refused(u16),
    Gone,
}

impl fmt::Display for MailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no mail: {self:?}")
    }
}

impl std::error::Error for MailError {}

impl MailError {
    /// The one of this number, which a job has as its argument.
    fn of(number: u16) -> Self {
        match number {
            0 => Self::RateLimit,
            1 => Self::Temporary,
            2 => Self::Gone,
            code => Self::Refused(code),
        }
    }
}

fn payload(class: &str, number: u16, more: &str) -> String {
    format!(r#"{{"class":"{class}","args":[{number}],"jid":"1"{more}}}"#)
}

/// The entry that a payload is in this set, and in no other, after its next failure.
async fn failed(flow: &Flow, server: ServerBuilder, set: TimedSet, payload: &str) -> Entry {
    flow.push_raw("default", payload.as_bytes()).await;
    let running = Running::start(server);
    let mut entries = flow.until_timed(set, 1).await;
    running.stop().await;
    let all = flow.timed(TimedSet::Retry).await.len() + flow.timed(TimedSet::Dead).await.len();
    assert_eq!(all, 1, "{payload} is in one set");
    entries.remove(0)
}

/// That it is in no set after its next failure, which counts all the same.
async fn gone(flow: &Flow, server: ServerBuilder, payload: &str) {
    flow.push_raw("default", payload.as_bytes()).await;
    let running = Running::start(server);
    flow.until("it has failed", || async {
        flow.counters().await == (1, 1)
    })
    .await;
    running.stop().await;
    for set in [TimedSet::Retry, TimedSet::Dead] {
        assert!(flow.timed(set).await.is_empty(), "{payload} is in {set:?}");
    }
}

/// That an entry waits this long, and no longer than the jitter of its count allows.
fn assert_waits(flow: &Flow, entry: &Entry, seconds: u64, count: u64) {
    let wait = entry.at.unwrap().since(flow.now());
    let longest = Duration::from_secs(seconds + 10 * (count + 1));
    assert!(
        (Duration::from_secs(seconds)..longest).contains(&wait),
        "{wait:?} is not {seconds} s and jitter of the count {count}"
    );
}
