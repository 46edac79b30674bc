//! Who is to hear of the end of a job whose class this process does not serve.
//!
//! A poison pill is found by whichever process takes it over. If that does not know its class, it can call neither the job's
//! `retries_exhausted` nor the death handlers of those who do. So it puts the job back once more, marked as given up, where a live
//! process that wants to hear of it serves the queue; whoever of us claims it buries it instead of running it. Ruby knows no such mark and
//! would run it: where a process of Ruby's serves the queue, it is buried at once.

use bytes::Bytes;
use serde::Deserialize;

use super::presence::LABEL;
use super::{Engine, presence};
use crate::job::Definition;
use crate::store::Fields;

/// The field of a process's hash that tells of which classes it wants to hear. Ours alone: Ruby passes over it.
const MOURNS: &str = "mourns";

/// How many classes are told of at most. Those of the others are buried as those that nobody knows.
const MOST_TOLD: usize = 1_000;

/// What others are told of this process: all its classes where it has death handlers, else those with a `retries_exhausted`.
pub(super) fn told(engine: &Engine) -> Option<(Box<str>, Bytes)> {
    let hears_of_all = !engine.death_handlers.is_empty();
    let jobs = engine.registry.jobs().iter();
    let mourned = jobs.filter(|job| hears_of_all || job.policy.exhausted.is_some());
    let names = |job: &&'static Definition| [&[job.class][..], job.aliases].concat();
    let classes: Vec<_> = mourned.flat_map(names).take(MOST_TOLD).collect();
    let json = serde_json::to_vec(&classes).ok()?;
    (!classes.is_empty()).then(|| (MOURNS.into(), json.into()))
}

/// The other processes that show themselves, as far as this matters.
#[derive(Debug)]
pub(super) struct Mourners(Vec<Process>);

#[derive(Debug)]
struct Process {
    is_ours: bool,
    is_quiet: bool,
    queues: Vec<String>,
    mourns: Vec<String>,
}

impl Mourners {
    pub(super) async fn look(engine: &Engine) -> Self {
        let others = presence::others(engine).await;
        Self(others.iter().filter_map(Process::read).collect())
    }

    /// Whether one of them will bury a job of this class that stands in this queue, and none runs it instead.
    pub(super) fn take(&self, class: &str, queue: &str) -> bool {
        let serve = |process: &&Process| process.queues.iter().any(|served| served == queue);
        let mut serving = self.0.iter().filter(serve);
        let mourns = |process: &Process| process.mourns.iter().any(|mourned| mourned == class);
        serving.clone().all(|process| process.is_ours)
            && serving.any(|process| !process.is_quiet && mourns(process))
    }
}

impl Process {
    fn read(fields: &Fields) -> Option<Self> {
        #[derive(Deserialize)]
        struct Info {
            #[serde(default)]
            queues: Vec<String>,
            #[serde(default)]
            labels: Vec<String>,
        }
        let field = |name: &str| {
            let found = fields.iter().find(|(field, _)| field == name);
            found.map(|(_, value)| value)
        };
        let Info { queues, labels } = serde_json::from_slice(field("info")?).ok()?;
        let mourns = field(MOURNS).and_then(|json| serde_json::from_slice(json).ok());
        Some(Self {
            is_ours: labels.iter().any(|label| label == LABEL),
            is_quiet: field("quiet").is_some_and(|quiet| quiet == "true"),
            queues,
            mourns: mourns.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(info: &'static str, quiet: &'static str, mourns: &'static str) -> Fields {
        let fields = [("info", info), ("quiet", quiet), ("mourns", mourns)];
        fields
            .map(|(name, value)| (name.into(), value.into()))
            .into()
    }

    fn take(processes: &[Fields]) -> bool {
        let others = Mourners(processes.iter().filter_map(Process::read).collect());
        others.take("Pill", "mails")
    }

    #[test]
    fn one_that_serves_the_queue_and_wants_to_hear_of_it_takes_it() {
        let ours = r#"{"queues":["mails","default"],"labels":["sancho"]}"#;
        let elsewhere = r#"{"queues":["default"],"labels":["sancho"]}"#;
        let ruby = r#"{"queues":["mails"],"labels":[]}"#;
        let knows = process(ours, "false", r#"["Pill"]"#);
        assert!(take(&[process(ours, "false", "[]"), knows.clone()]));
        for others in [
            vec![],
            vec![process(ours, "false", "[]")],
            vec![process(ours, "false", r#"["Other"]"#)],
            vec![process(ours, "true", r#"["Pill"]"#)],
            vec![process(elsewhere, "false", r#"["Pill"]"#)],
            // Ruby would run it.
            vec![knows.clone(), process(ruby, "false", "[]")],
            vec![
                knows.clone(),
                process(r#"{"queues":["mails"]}"#, "false", ""),
            ],
        ] {
            assert!(!take(&others), "{others:?}");
        }
        assert!(take(&[knows, process("no info", "false", "[]")]));
    }
}
