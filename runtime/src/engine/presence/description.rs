//! What a process tells of itself, in Sidekiq's form.

use std::fmt::Write as _;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Told;
use crate::engine::capsule::{CapsuleState, Shape};
use crate::engine::config::EngineConfig;
use crate::engine::slots::Work;
use crate::job::payload::{Wire, ruby_float};
use crate::job::{Timestamp, random_hex};
use crate::store::Fields;

/// How many running jobs are shown at most, and how many bytes their payloads may have together: the oldest come first, and
/// one that has no room any more is left out.
const MOST_SHOWN: (usize, usize) = (1_000, 4 << 20);

/// The label that tells our processes from Ruby's.
pub(crate) const LABEL: &str = "sancho";

/// What does not change while a process runs.
#[derive(Debug)]
pub(super) struct Description {
    identity: String,
    started: Timestamp,
}

/// What is told of a process beside what it does, and how many jobs it runs at once.
pub(super) struct Info {
    json: String,
    concurrency: usize,
}

/// The name of this process among others, as Sidekiq makes it: host, process id, and 12 hex digits by chance.
pub(in crate::engine) fn identity() -> String {
    let random = random_hex();
    format!("{}:{}:{}", host(), std::process::id(), &random[..12])
}

impl Description {
    pub(super) fn new(identity: &str, started: Timestamp) -> Self {
        Self {
            identity: identity.to_owned(),
            started,
        }
    }

    /// What Sidekiq 6, 7 and 8 read of a process: `concurrency` and the lists are where 6 and 7 look for them, `capsules` where 8
    /// does.
    pub(super) fn info(&self, config: &EngineConfig, capsules: &[Arc<CapsuleState>]) -> Info {
        let capsules: Vec<(&str, Shape)> = capsules
            .iter()
            .map(|capsule| (capsule.name(), capsule.shape()))
            .collect();
        let concurrency: usize = capsules.iter().map(|(_, shape)| shape.concurrency).sum();
        let mut out = String::from("{");
        let mut field = |name: &str, json: String| {
            if out.len() > 1 {
                out.push(',');
            }
            let _ = write!(out, "\"{name}\":{json}");
        };
        field("hostname", text(&host()));
        field("started_at", ruby_float(self.started.as_score()));
        field("pid", std::process::id().to_string());
        field("tag", text(&config.tag));
        field("concurrency", concurrency.to_string());
        if config.wire == Wire::Sidekiq8 {
            let all = capsules.iter().map(|(name, shape)| {
                format!(
                    "{}:{{\"concurrency\":{},\"mode\":{},\"weights\":{}}}",
                    text(name),
                    shape.concurrency,
                    text(&shape.queues.mode().to_string()),
                    weights(shape)
                )
            });
            field("capsules", format!("{{{}}}", join(all)));
        }
        let mut names = Vec::new();
        for queue in capsules.iter().flat_map(|(_, shape)| shape.queues.iter()) {
            if !names.contains(&queue.name()) {
                names.push(queue.name());
            }
        }
        field("queues", format!("[{}]", join(names.into_iter().map(text))));
        if config.wire != Wire::Sidekiq6 {
            let all = capsules.iter().map(|(_, shape)| weights(shape));
            field("weights", format!("[{}]", join(all)));
        }
        let labels = iter::once(LABEL).chain(config.labels.iter().map(|label| &**label));
        field("labels", format!("[{}]", join(labels.map(text))));
        field("identity", text(&self.identity));
        field("version", text(version(config.wire)));
        field("embedded", "false".into());
        out.push('}');
        Info {
            json: out,
            concurrency,
        }
    }
}

/// The fields of the hash, in Sidekiq's order; ours last.
pub(super) fn fields(
    info: Info,
    told: Told,
    round_trip: Duration,
    now: Timestamp,
) -> Vec<(Box<str>, Bytes)> {
    let fields = [
        ("info", info.json),
        ("concurrency", info.concurrency.to_string()),
        ("busy", told.busy.to_string()),
        ("beat", ruby_float(now.as_score())),
        ("rtt_us", round_trip.as_micros().to_string()),
        ("quiet", told.quiet.to_string()),
        ("rss", resident_kb().to_string()),
        // Ours alone: Ruby passes over it.
        ("stuck", told.stuck.to_string()),
    ];
    fields
        .into_iter()
        .map(|(field, value)| (field.into(), value.into()))
        .collect()
}

/// The weight of each queue, in the order in which they are served. In strict order all are 0.
fn weights(shape: &Shape) -> String {
    let weights = shape
        .queues
        .iter()
        .map(|queue| format!("{}:{}", text(queue.name()), queue.weight()));
    format!("{{{}}}", join(weights))
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

/// The version whose form this is.
fn version(wire: Wire) -> &'static str {
    match wire {
        Wire::Sidekiq6 => "6.5.12",
        Wire::Sidekiq7 => "7.3.9",
        Wire::Sidekiq8 => "8.1.7",
    }
}

/// The fields of the hash of running work: one a job, under a short name that is this job's as long as it runs. A payload that is no
/// text is left out: Ruby's readers would fail on it.
pub(super) fn work(running: &[Work]) -> Vec<(Box<str>, Bytes)> {
    #[derive(Serialize)]
    struct Running<'a> {
        queue: &'a str,
        payload: &'a str,
        run_at: i64,
        /// Ours alone: Ruby passes over it.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        stuck: bool,
    }
    let (most, mut bytes) = MOST_SHOWN;
    let mut fields = Vec::new();
    for work in running.iter().take(most) {
        let Ok(payload) = std::str::from_utf8(&work.claimed.payload) else {
            continue;
        };
        let Some(left) = bytes.checked_sub(payload.len()) else {
            continue;
        };
        bytes = left;
        let shown = Running {
            queue: &work.claimed.queue,
            payload,
            run_at: work.since.as_millis().div_euclid(1_000),
            stuck: work.stuck,
        };
        let json = serde_json::to_vec(&shown).expect("two texts and a number are always JSON");
        let name = base36(work.claim.token.as_number());
        fields.push((name.into(), json.into()));
    }
    fields
}

/// The version of a process that does not read all that is written for `wire`.
pub(super) fn older(fields: &Fields, wire: Wire) -> Option<String> {
    #[derive(Deserialize)]
    struct Info {
        #[serde(default)]
        version: Option<String>,
    }
    let (_, info) = fields.iter().find(|(field, _)| field == "info")?;
    let Info { version } = serde_json::from_slice(info).ok()?;
    // Before 7.0.2 there was none.
    let version = version.unwrap_or_else(|| "6".into());
    let major = |version: &str| version.split('.').next()?.parse::<u32>().ok();
    let ours = major(self::version(wire))?;
    (major(&version)? < ours).then_some(version)
}

fn text(text: &str) -> String {
    serde_json::to_string(text).expect("a text is always JSON")
}

fn base36(mut number: u64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut digits = Vec::new();
    loop {
        digits.push(char::from(
            DIGITS[usize::try_from(number % 36).unwrap_or(0)],
        ));
        number /= 36;
        if number == 0 {
            break;
        }
    }
    digits.into_iter().rev().collect()
}

/// The host's name, or on Heroku the dyno's, as in Sidekiq.
fn host() -> String {
    let dyno = std::env::var("DYNO").ok().filter(|dyno| !dyno.is_empty());
    dyno.unwrap_or_else(host_name)
}

#[cfg(unix)]
fn host_name() -> String {
    let uname = rustix::system::uname();
    uname.nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "localhost".into())
}

/// How much memory this process has, in KiB; 0 where that cannot be told.
fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::capsule::Capsule;
    use crate::store::{ClaimId, Claimed, Owner, Token};

    fn info_of(wire: Wire) -> serde_json::Value {
        let config = EngineConfig {
            tag: "mytag".into(),
            labels: vec!["west".into()],
            wire,
            ..EngineConfig::default()
        };
        let capsules = [
            Capsule::named("default").queues(["critical", "default"]),
            Capsule::named("one")
                .queues([("b", 2), ("default", 1)])
                .concurrency(1),
        ];
        let capsules = capsules.map(|capsule| Arc::new(CapsuleState::new(capsule, 4).unwrap()));
        let started = Timestamp::from_micros(1_795_469_303_993_324);
        let info = Description::new("vm:1:abc", started).info(&config, &capsules);
        assert_eq!(info.concurrency, 5);
        let json = info.json;
        assert!(json.contains("\"started_at\":1795469303.993324,"), "{json}");
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn the_description_has_what_each_version_reads() {
        let eight = info_of(Wire::Sidekiq8);
        assert_eq!(
            eight["capsules"]["default"],
            serde_json::json!({"concurrency": 4, "mode": "strict", "weights": {"critical": 0, "default": 0}})
        );
        assert_eq!(
            eight["capsules"]["one"],
            serde_json::json!({"concurrency": 1, "mode": "weighted", "weights": {"b": 2, "default": 1}})
        );
        assert_eq!(eight["labels"], serde_json::json!(["sancho", "west"]));
        assert_eq!(eight["version"], "8.1.7");
        let seven = info_of(Wire::Sidekiq7);
        assert_eq!(
            seven["weights"],
            serde_json::json!([{"critical": 0, "default": 0}, {"b": 2, "default": 1}])
        );
        assert!(seven["capsules"].is_null());
        let six = info_of(Wire::Sidekiq6);
        assert_eq!(
            six["queues"],
            serde_json::json!(["critical", "default", "b"])
        );
        assert_eq!(
            (&six["concurrency"], &six["tag"]),
            (&5.into(), &"mytag".into())
        );
    }

    #[test]
    fn an_older_process_is_one_that_does_not_read_what_is_written() {
        let process =
            |info: &str| vec![("info".to_owned(), Bytes::copy_from_slice(info.as_bytes()))];
        let seven = process(r#"{"version":"7.3.9"}"#);
        assert_eq!(older(&seven, Wire::Sidekiq8).as_deref(), Some("7.3.9"));
        assert_eq!(older(&seven, Wire::Sidekiq7), None);
        assert_eq!(older(&process("{}"), Wire::Sidekiq7).as_deref(), Some("6"));
        assert_eq!(older(&process("no json"), Wire::Sidekiq8), None);
    }

    #[test]
    fn a_job_too_large_to_be_shown_hides_no_other() {
        let owner = Owner::random();
        let running = |n, payload: Vec<u8>| Work {
            claim: ClaimId {
                owner: owner.clone(),
                token: Token::new(1, n),
            },
            claimed: Claimed {
                token: Token::new(1, n),
                queue: "default".into(),
                recoveries: 0,
                payload: payload.into(),
            },
            since: Timestamp::from_micros(1),
            stuck: false,
        };
        let large = vec![b'x'; MOST_SHOWN.1 + 1];
        let shown = work(&[running(0, large), running(1, b"small".to_vec())]);
        assert_eq!(shown.len(), 1);
        assert_eq!(
            shown[0].1,
            r#"{"queue":"default","payload":"small","run_at":0}"#
        );
    }

    #[test]
    fn names_of_running_work_are_in_base_36() {
        assert_eq!(
            (base36(0), base36(35), base36(36 * 36 + 1)),
            ("0".into(), "z".into(), "101".into())
        );
    }
}
