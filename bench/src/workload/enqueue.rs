//! How fast are jobs enqueued: one at a time by one caller and by a hundred, and in bulk?

use std::collections::BTreeMap;

use super::limit;
use crate::Result;
use crate::figures::{Sample, count, number};
use crate::report::{Bars, Goal, Section, Table};
use crate::rig::{Installed, Push, Redis, System};
use crate::setting::{Setting, rate, say};

/// The way, the callers, the jobs of everyone, and those of our own longer run.
const STEPS: [(&str, u64, u64, u64); 3] = [
    ("single", 1, 5_000, 20_000),
    ("single", 100, 10_000, 200_000),
    ("bulk", 1, 50_000, 500_000),
];

/// How many requests `redis-benchmark` sends.
const REQUESTS: u64 = 20_000;

/// Who pushed, in which step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Who {
    step: usize,
    system: System,
    long: bool,
}

/// The figures of all rounds.
#[derive(Debug, Default)]
struct Figures {
    rate: Sample,
    client: Sample,
    redis: Sample,
    trips: Sample,
    bytes: Sample,
}

pub(crate) fn measure(setting: &Setting) -> Result<Section> {
    let mut all: BTreeMap<Who, Figures> = BTreeMap::new();
    let mut limits: BTreeMap<u32, Sample> = BTreeMap::new();
    for round in 0..setting.rounds {
        say(&format!("enqueue: round {}", round + 1));
        for clients in [1, 100] {
            let limit = limit::lpush(clients, setting.jobs(REQUESTS))?;
            limits.entry(clients).or_default().add(limit);
        }
        for (step, (how, callers, jobs, long)) in STEPS.into_iter().enumerate() {
            for installed in &setting.systems {
                let system = installed.system;
                if how == "bulk" && !system.has_bulk() {
                    continue;
                }
                let mut runs = vec![(false, jobs)];
                if system == System::Sancho {
                    runs.push((true, long));
                }
                for (long, jobs) in runs {
                    let figures = all.entry(Who { step, system, long }).or_default();
                    let pushed = one(installed, how, callers, setting.jobs(jobs), figures);
                    setting.attempt(system, pushed)?;
                }
            }
        }
    }
    Ok(section(&all, &limits))
}

fn one(
    installed: &Installed,
    how: &str,
    callers: u64,
    jobs: u64,
    figures: &mut Figures,
) -> Result<()> {
    let mut redis = Redis::start()?;
    let before = redis.usage()?;
    let pusher = installed.push(&Push {
        url: &redis.url(),
        job: "no_op",
        how,
        jobs,
        number: callers,
    })?;
    let first = pusher.line("first")?;
    let started = pusher.cpu_ever()?;
    let last = pusher.line("last")?;
    let client = pusher.cpu_ever()?.saturating_sub(started);
    let used = redis.usage()?.since(&before);
    let each = |value: f64| value / jobs as f64;
    figures.rate.add(rate(jobs, last.at - first.at));
    figures.client.add(each(client.as_secs_f64() * 1e6));
    figures.redis.add(each(used.cpu.as_secs_f64() * 1e6));
    figures.trips.add(each(used.trips as f64));
    figures.bytes.add(each(used.bytes as f64));
    Ok(())
}

fn section(all: &BTreeMap<Who, Figures>, limits: &BTreeMap<u32, Sample>) -> Section {
    let mut section = Section::default();
    for (step, (how, callers, jobs, long)) in STEPS.into_iter().enumerate() {
        let jobs = count(jobs);
        section.line(&match (how, callers) {
            ("bulk", _) => format!("In bulk, {jobs} jobs (rusty-sidekiq has no bulk):"),
            (_, 1) => format!("One caller, one at a time, {jobs} jobs:"),
            (_, callers) => {
                format!("{callers} concurrent callers, each one at a time, {jobs} jobs:")
            }
        });
        let mut table = Table::new([
            "",
            "jobs/s",
            "client CPU µs a job",
            "Redis CPU µs a job",
            "round trips a job",
            "bytes a job",
        ]);
        for (who, figures) in all.iter().filter(|(who, _)| who.step == step) {
            let name = match who.long {
                true => format!("sancho, {} jobs", count(long)),
                false => who.system.name().to_owned(),
            };
            table.row(vec![
                name,
                figures.rate.show(),
                number(figures.client.median()),
                number(figures.redis.median()),
                number(figures.trips.median()),
                number(figures.bytes.median()),
            ]);
        }
        if how == "single"
            && let Some(limit) = u32::try_from(callers)
                .ok()
                .and_then(|callers| limits.get(&callers))
        {
            let dash = || "-".to_owned();
            table.row(vec![
                format!("redis-benchmark -t lpush -c {callers} -P 1"),
                limit.show(),
                dash(),
                dash(),
                "1".into(),
                dash(),
            ]);
        }
        section.table(&table);
    }
    let bars = all
        .iter()
        .filter(|(who, _)| who.step == 1 && !who.long)
        .map(|(who, figures)| (who.system.name().to_owned(), figures.rate.clone()))
        .chain(
            limits
                .get(&100)
                .map(|limit| ("redis-benchmark lpush".to_owned(), limit.clone())),
        )
        .collect();
    let bars = Bars {
        title: "Jobs enqueued one at a time by 100 concurrent callers of one process".into(),
        unit: "jobs/s: the median and the range of the rounds; longer is better".into(),
        bars,
    };
    section.plot("enqueue", "Jobs enqueued a second", bars.svg());
    section.goals = goals(all, limits);
    section
}

fn goals(all: &BTreeMap<Who, Figures>, limits: &BTreeMap<u32, Sample>) -> Vec<Goal> {
    let ours = |step| {
        all.get(&Who {
            step,
            system: System::Sancho,
            long: true,
        })
        .map_or(f64::NAN, |figures| figures.rate.median())
    };
    let limit = limits.get(&1).map_or(f64::NAN, Sample::median);
    vec![
        Goal::at_least(
            "enqueue one at a time, one caller, of `redis-benchmark -t lpush -c 1 -P 1`",
            ours(0) / limit * 100.0,
            90.0,
            " %",
        ),
        Goal::at_least(
            "enqueue, 100 concurrent callers, one client",
            ours(1),
            80_000.0,
            " jobs/s",
        ),
        Goal::at_least("enqueue in bulk", ours(2), 350_000.0, " jobs/s"),
    ]
}
