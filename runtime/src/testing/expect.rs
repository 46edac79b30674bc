//! What an assertion expects, and how it says that it is not so.

mod span;

use std::fmt::Write as _;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use serde_json::Value;

pub use span::Delay;
use span::span;

use super::enqueued::call;
use super::stage::{Stage, Which};
use super::{Clock, Enqueued};
use crate::client::stand_in::{Sink, Submitted};
use crate::client::{Client, Config, Push};
use crate::job::{Definition, Job, Timestamp};
use crate::store::memory::MemoryStore;
use crate::store::{Effect, Tx, TxResult};

/// How far a time may be off, unless something else is said.
const TOLERANCE: Duration = Duration::from_secs(10);

/// How many jobs a message shows.
const SHOWN: usize = 20;

/// What an assertion expects: what stands in its parentheses.
#[derive(Clone, Debug)]
#[must_use = "an expectation says nothing unless it is asserted"]
pub struct Expected {
    /// `None` is every job.
    definition: Option<&'static Definition>,
    args: Option<String>,
    queue: Option<String>,
    time: Option<Time>,
    tolerance: Duration,
    count: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Time {
    In(Duration),
    At(Timestamp),
}

impl Expected {
    fn of(definition: Option<&'static Definition>, args: Option<String>) -> Self {
        Self {
            definition,
            args,
            queue: None,
            time: None,
            tolerance: TOLERANCE,
            count: None,
        }
    }

    /// `queue = ...`
    pub fn queue(self, queue: impl Into<String>) -> Self {
        let queue = Some(queue.into());
        Self { queue, ..self }
    }

    /// `in = ...`
    #[track_caller]
    pub fn after(self, delay: impl Delay) -> Self {
        let time = Some(Time::In(delay.duration()));
        Self { time, ..self }
    }

    /// `at = ...`
    pub fn at(self, at: impl Into<Timestamp>) -> Self {
        let time = Some(Time::At(at.into()));
        Self { time, ..self }
    }

    /// `within = ...`
    #[track_caller]
    pub fn within(self, tolerance: impl Delay) -> Self {
        let tolerance = tolerance.duration();
        Self { tolerance, ..self }
    }

    /// `count = ...`
    pub fn count(self, count: usize) -> Self {
        let count = Some(count);
        Self { count, ..self }
    }

    fn which(&self) -> Which {
        self.definition.map_or(Which::All, Which::Of)
    }

    /// How a job of this class differs from what is expected.
    fn differences(&self, job: &Enqueued, now: Timestamp) -> Vec<String> {
        let mut differences = Vec::new();
        let args = job.args().unwrap_or_default();
        if let Some(expected) = &self.args
            && !is_same_json(expected, args)
        {
            differences.push(format!("its arguments are {args}, not {expected}"));
        }
        if let Some(expected) = &self.queue
            && expected != job.queue()
        {
            differences.push(format!("its queue is {:?}, not {expected:?}", job.queue()));
        }
        if let Some(time) = self.time {
            let expected = time.at(now);
            let at = job.at().map_or(now, Into::into);
            let off = at.since(expected).max(expected.since(at));
            if off > self.tolerance {
                let side = if at > expected { "late" } else { "early" };
                differences.push(format!("it runs {} too {side}", span(off)));
            }
        }
        differences
    }

    /// What is expected, in words.
    fn text(&self) -> String {
        let Some(definition) = self.definition else {
            return "a job".to_owned();
        };
        let mut text = match &self.args {
            Some(args) => call(definition.name, Some(args)),
            None => format!("{}(..)", definition.name),
        };
        if let Some(queue) = &self.queue {
            let _ = write!(text, " in the queue {queue:?}");
        }
        let tolerance = span(self.tolerance);
        match self.time {
            None => {}
            Some(Time::In(delay)) => {
                let _ = write!(text, " in {} (give or take {tolerance})", span(delay));
            }
            Some(Time::At(at)) => {
                let at: chrono::DateTime<chrono::Utc> = at.into();
                let _ = write!(text, " at {at} (give or take {tolerance})");
            }
        }
        text
    }
}

impl Time {
    fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::In(delay) => now.after(delay),
            Self::At(at) => at,
        }
    }
}

/// What is enqueued, seen by an expectation.
struct Seen {
    now: Timestamp,
    /// Each job of the class, with how it differs.
    jobs: Vec<(Enqueued, Vec<String>)>,
    others: Vec<Enqueued>,
}

impl Seen {
    fn by(expected: &Expected, stage: &Stage) -> Self {
        let now = stage.clock().now();
        let which = expected.which();
        let (of_class, others) = stage
            .enqueued(Which::All)
            .into_iter()
            .partition::<Vec<_>, _>(|job| which.includes(job));
        let with_differences = |job| {
            let differences = expected.differences(&job, now);
            (job, differences)
        };
        Self {
            now,
            jobs: of_class.into_iter().map(with_differences).collect(),
            others,
        }
    }

    fn matching(&self) -> usize {
        let matching = |(_, differences): &&(Enqueued, Vec<String>)| differences.is_empty();
        self.jobs.iter().filter(matching).count()
    }

    /// What is enqueued, a line each.
    fn list(&self) -> String {
        if self.jobs.is_empty() && self.others.is_empty() {
            return "nothing is enqueued".to_owned();
        }
        let mut list = "enqueued:".to_owned();
        let others = self
            .others
            .iter()
            .map(|job| (job, "another job".to_owned()));
        let of_class = self.jobs.iter().map(|(job, differences)| {
            let verdict = if differences.is_empty() {
                "as described".to_owned()
            } else {
                differences.join("; ")
            };
            (job, verdict)
        });
        for (job, verdict) in of_class.chain(others).take(SHOWN) {
            let when = match job.at().map(Timestamp::from) {
                None => "now".to_owned(),
                Some(at) if at <= self.now => "now".to_owned(),
                Some(at) => format!("in {}", span(at.since(self.now))),
            };
            let _ = write!(
                list,
                "\n  {} in the queue {:?}, {when}: {verdict}",
                job.call(),
                job.queue()
            );
        }
        let all = self.jobs.len() + self.others.len();
        if all > SHOWN {
            let _ = write!(list, "\n  and {} more", all - SHOWN);
        }
        list
    }
}

/// The expectation of a job with any arguments.
#[doc(hidden)]
pub fn __any<J: Job>() -> Expected {
    Expected::of(Some(J::DEFINITION), None)
}

/// The expectation of any job at all.
#[doc(hidden)]
pub fn __nothing() -> Expected {
    Expected::of(None, None)
}

/// The expectation of this call. It pushes through a client that only keeps the payload.
#[doc(hidden)]
#[track_caller]
pub fn __call<J: Job>(push: impl FnOnce(&Client) -> Push) -> Expected {
    let kept = Arc::new(Kept::default());
    let clock = Clock::starting_now();
    let store = Arc::new(MemoryStore::with_clock(clock.source()));
    let client = Client::into_sink(kept.clone(), store, &Config::new(), clock.source());
    let pushed = pin!(push(&client)).poll(&mut Context::from_waker(Waker::noop()));
    match pushed {
        Poll::Ready(Ok(_)) => {}
        Poll::Ready(Err(error)) => panic!("the expected job cannot be pushed: {error}"),
        Poll::Pending => unreachable!("nothing is waited for"),
    }
    let payload = kept.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    let job = crate::api::JobRecord::read(payload.unwrap_or_default());
    Expected::of(Some(J::DEFINITION), job.args().map(str::to_owned))
}

/// Keeps the payload that is pushed.
#[derive(Debug, Default)]
struct Kept(Mutex<Option<bytes::Bytes>>);

impl Sink for Kept {
    fn submit(&self, tx: Tx) -> Pin<Box<dyn Future<Output = Submitted> + Send + '_>> {
        let put = tx.then.into_iter().find_map(|effect| match effect {
            Effect::Put(payload, _) => Some(payload),
            _ => None,
        });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = put;
        Box::pin(async { Submitted::Answered(TxResult::Applied) })
    }
}

#[doc(hidden)]
#[track_caller]
pub fn __assert_enqueued(expected: Expected) {
    let seen = Seen::by(&expected, &Stage::current());
    let matching = seen.matching();
    match expected.count {
        None if matching == 0 => {
            panic!("{} is not enqueued\n{}", expected.text(), seen.list())
        }
        Some(count) if matching != count => panic!(
            "{} is enqueued {matching} times, not {count}\n{}",
            expected.text(),
            seen.list()
        ),
        _ => {}
    }
}

#[doc(hidden)]
#[track_caller]
pub fn __refute_enqueued(expected: Expected) {
    assert!(
        expected.count.is_none(),
        "a refutation has no `count`: write `assert_enqueued!(..., count = n)`"
    );
    let seen = Seen::by(&expected, &Stage::current());
    assert!(
        seen.matching() == 0,
        "{} is enqueued, and should not be\n{}",
        expected.text(),
        seen.list()
    );
}

fn is_same_json(a: &str, b: &str) -> bool {
    let read = |text| serde_json::from_str::<Value>(text).ok();
    a == b || read(a).is_some_and(|a| read(b) == Some(a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_the_same_whatever_its_spaces_and_order() {
        assert!(is_same_json(r#"[{"a":1,"b":[]}]"#, r#"[ {"b":[],"a":1} ]"#));
        assert!(!is_same_json("[1]", "[1.0]"));
        assert!(!is_same_json("[1]", "[1,null]"));
    }
}
