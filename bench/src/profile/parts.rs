//! The parts of a worker, by where their code stands.

use std::collections::{BTreeMap, HashMap};

use super::callgrind::{Calls, Place};

/// A part of what a worker does for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Claim,
    Decode,
    Spawn,
    Run,
    Finish,
    Write,
    Connection,
    Other,
}

/// What a path contains, and the part that it belongs to; the first that fits.
const PATHS: &[(&str, Part)] = &[
    ("runtime/src/engine/fetch", Part::Claim),
    ("runtime/src/engine/session", Part::Claim),
    ("runtime/src/engine/pace", Part::Claim),
    ("runtime/src/store/redis/decode", Part::Claim),
    ("runtime/src/engine/finish", Part::Finish),
    ("runtime/src/engine/endings", Part::Finish),
    ("runtime/src/layers", Part::Finish),
    ("runtime/src/store/tx", Part::Finish),
    ("runtime/src/store/redis", Part::Write),
    ("runtime/src/store", Part::Write),
    ("runtime/src/job/payload", Part::Decode),
    ("runtime/src/job/args", Part::Decode),
    ("/serde_json-", Part::Decode),
    ("/serde-", Part::Decode),
    ("/serde_core-", Part::Decode),
    ("runtime/src/engine", Part::Run),
    ("runtime/src/job", Part::Run),
    ("bench/src/ours", Part::Run),
    ("/tracing", Part::Run),
    ("src/net/", Part::Connection),
    ("src/runtime/io", Part::Connection),
    ("/mio-", Part::Connection),
    ("/fred-", Part::Connection),
    ("/redis-protocol-", Part::Connection),
    ("/bytes-", Part::Connection),
    ("/bytes-utils-", Part::Connection),
    ("/tokio-util-", Part::Connection),
    ("/tokio-stream-", Part::Connection),
    ("/nom-", Part::Connection),
    ("/cookie-factory-", Part::Connection),
    ("/tokio-", Part::Spawn),
];

/// What a function's name contains where its file says nothing.
const FUNCTIONS: &[(&str, Part)] = &[
    ("fred::", Part::Connection),
    ("redis_protocol::", Part::Connection),
    ("tokio::", Part::Spawn),
    ("serde_json::", Part::Decode),
];

/// How often costs are handed up to callers: far deeper than the standard library calls itself.
const PASSES: usize = 40;

impl Part {
    pub(super) const ALL: [Self; 8] = [
        Self::Claim,
        Self::Decode,
        Self::Spawn,
        Self::Run,
        Self::Finish,
        Self::Write,
        Self::Connection,
        Self::Other,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim: the loop of `fetch`, the session, what a claim answers",
            Self::Decode => "decode: the payload and the arguments, `serde_json`",
            Self::Spawn => "spawn: tokio's tasks, scheduler, timers and channels",
            Self::Run => "run: context, call, panic guard, the job itself",
            Self::Finish => "finish: the transaction that settles it, layers, gathering",
            Self::Write => "write: transactions as arguments of a script",
            Self::Connection => "connection: fred, the protocol, the socket",
            Self::Other => "other",
        }
    }

    pub(super) fn short(self) -> &'static str {
        self.name().split(':').next().unwrap_or_default()
    }
}

/// The costs by part. What belongs to no part by itself, such as the standard library and the allocator, is handed to those that
/// called it, in proportion to what their calls cost.
pub(super) fn add_up(calls: &Calls) -> BTreeMap<Part, f64> {
    let mut parts = BTreeMap::new();
    let mut pending: HashMap<&str, f64> = HashMap::new();
    for (place, cost) in &calls.own {
        match part(place) {
            Some(part) => *parts.entry(part).or_default() += cost,
            None => *pending.entry(&place.function).or_default() += cost,
        }
    }
    for _ in 0..PASSES {
        let mut next: HashMap<&str, f64> = HashMap::new();
        for (function, cost) in pending {
            let callers = calls.callers.get(function);
            let total: f64 = callers.map_or(0.0, |callers| callers.values().sum());
            if total <= 0.0 {
                *parts.entry(Part::Other).or_default() += cost;
                continue;
            }
            for (place, weight) in callers.into_iter().flatten() {
                let share = cost * weight / total;
                match part(place) {
                    Some(part) => *parts.entry(part).or_default() += share,
                    None => *next.entry(&place.function).or_default() += share,
                }
            }
        }
        pending = next;
    }
    *parts.entry(Part::Other).or_default() += pending.values().sum::<f64>();
    parts
}

fn part(place: &Place) -> Option<Part> {
    let by_path = |path: &str| PATHS.iter().find(|(part, _)| path.contains(part));
    by_path(&place.file)
        .or_else(|| by_path(&place.function_file))
        .or_else(|| {
            FUNCTIONS
                .iter()
                .find(|(part, _)| place.function.contains(part))
        })
        .map(|(_, part)| *part)
}

/// A path without what is the same for all of its kind.
pub(super) fn shorten(path: &str) -> String {
    for mark in ["/registry/src/", "/rustc/", "/library/"] {
        if let Some((_, rest)) = path.split_once(mark) {
            return rest
                .split_once('/')
                .map_or(rest, |(_, rest)| rest)
                .to_owned();
        }
    }
    for mark in ["runtime/src/", "bench/src/"] {
        if let Some(at) = path.find(mark) {
            return path[at..].to_owned();
        }
    }
    path.trim_start_matches("./").to_owned()
}
