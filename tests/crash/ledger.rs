//! What the processes reported, counted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// A line of the file that processes report to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// By the clock that all processes share, in microseconds.
    pub(crate) at: u64,
    pub(crate) process: u32,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A job began, recovered this often before.
    Start(u64, u32),
    End(u64),
    /// The process is about to renew its lease, or has; it has this many tasks.
    Beat(u64),
    /// The process is about to send itself a signal.
    Killed,
    /// A bulk that begins with this number is pushed.
    Push(u64),
    Acknowledged(u64),
    /// A tick of the cron runs as the job of this id.
    Tick(String),
    /// A job that iterates goes on from this item.
    From(u64, Option<u64>),
    /// A job that iterates does this item.
    Item(u64, u64),
}

/// All that was reported.
#[derive(Debug)]
pub(crate) struct Ledger(pub(crate) Vec<Event>);

impl Ledger {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        Self(text.lines().map(event).collect())
    }

    /// Who began each job, in order.
    pub(crate) fn starts(&self) -> BTreeMap<u64, Vec<u32>> {
        let mut starts: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for event in &self.0 {
            if let What::Start(n, _) = event.what {
                starts.entry(n).or_default().push(event.process);
            }
        }
        starts
    }

    pub(crate) fn ended(&self) -> BTreeSet<u64> {
        let ended = |event: &Event| match event.what {
            What::End(n) => Some(n),
            _ => None,
        };
        self.0.iter().filter_map(ended).collect()
    }

    pub(crate) fn count(&self, is: impl Fn(&What) -> bool) -> usize {
        self.0.iter().filter(|event| is(&event.what)).count()
    }

    /// When this process killed itself.
    pub(crate) fn killed(&self, process: u32) -> Option<u64> {
        self.0
            .iter()
            .find(|event| event.process == process && event.what == What::Killed)
            .map(|event| event.at)
    }

    /// How long it took from a moment until every job had begun that had not ended by then.
    pub(crate) fn recovery(&self, from: u64) -> Duration {
        let mut seen = BTreeSet::new();
        let mut last = from;
        for event in self.0.iter().filter(|event| event.at > from) {
            if let What::Start(n, _) = event.what
                && seen.insert(n)
            {
                last = event.at;
            }
        }
        Duration::from_micros(last - from)
    }
}

fn event(line: &str) -> Event {
    let fields: Vec<_> = line.split(' ').collect();
    let number = |index: usize| fields[index].parse::<u64>().unwrap();
    let what = match fields[2] {
        "start" => What::Start(number(3), fields[4].parse().unwrap()),
        "end" => What::End(number(3)),
        "beat" => What::Beat(number(3)),
        "killed" => What::Killed,
        "push" => What::Push(number(3)),
        "acknowledged" => What::Acknowledged(number(3)),
        "tick" => What::Tick(fields[3].to_owned()),
        "from" => What::From(number(3), fields[4].parse().ok()),
        "item" => What::Item(number(3), number(4)),
        _ => panic!("no report: {line}"),
    };
    Event {
        at: number(0),
        process: fields[1].parse().unwrap(),
        what,
    }
}

/// The time by the clock that all processes share, in microseconds.
pub(crate) fn now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec * 1_000_000 + now.tv_nsec / 1_000).unwrap()
}
