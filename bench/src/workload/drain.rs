//! How fast is a queue of no-op jobs drained, and what does a job cost?

use std::collections::BTreeMap;

use super::limit;
use crate::Result;
use crate::figures::{Sample, count, number};
use crate::report::{Bars, Goal, Lines, Section, Table};
use crate::rig::{Installed, System};
use crate::setting::{Drained, Profile, Setting, say};

/// The concurrency, the jobs of everyone, and those of our own longer run.
const STEPS: [(usize, u64, u64); 5] = [
    (1, 4_000, 20_000),
    (10, 10_000, 100_000),
    (50, 30_000, 300_000),
    (100, 30_000, 300_000),
    (1_000, 20_000, 300_000),
];

/// Where the others are measured in the full profile alone.
const FULL_ONLY: usize = 100;

/// How many requests `redis-benchmark` sends.
const REQUESTS: u64 = 100_000;

/// What `redis-benchmark` is called in tables.
const LIMIT: &str = "redis-benchmark -t lpush -P 1";

/// Goals at concurrency 50: how many times as fast as this one.
const TIMES: [(System, f64); 3] = [
    (System::RustySidekiq, 13.0),
    (System::BullMq, 13.0),
    (System::Sidekiq, 18.0),
];

/// Goals of CPU a job, by concurrency.
const CPU: [(usize, f64); 4] = [(50, 15.0), (1_000, 8.0), (10, 40.0), (1, 250.0)];

/// Who drained at which concurrency; ours is there twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Who {
    system: System,
    long: bool,
    concurrency: usize,
}

/// The figures of all rounds.
#[derive(Debug, Default)]
struct Figures {
    rate: Sample,
    worker: Sample,
    redis: Sample,
    cpu: Sample,
    trips: Sample,
    bytes: Sample,
    memory: Sample,
}

pub(crate) fn measure(setting: &Setting) -> Result<Section> {
    let mut all: BTreeMap<Who, Figures> = BTreeMap::new();
    let mut limits: BTreeMap<u32, Sample> = BTreeMap::new();
    for round in 0..setting.rounds {
        for clients in [1, 50] {
            let requests = setting.jobs(REQUESTS / if clients == 1 { 5 } else { 1 });
            limits
                .entry(clients)
                .or_default()
                .add(limit::lpush(clients, requests)?);
        }
        for (concurrency, jobs, long) in STEPS {
            say(&format!("drain: round {} at {concurrency}", round + 1));
            for system in &setting.systems {
                let ours = system.system == System::Sancho;
                if !ours && concurrency == FULL_ONLY && setting.profile != Profile::Full {
                    continue;
                }
                one(setting, system, concurrency, (false, jobs), &mut all)?;
                if ours {
                    one(setting, system, concurrency, (true, long), &mut all)?;
                }
            }
        }
    }
    Ok(section(&all, &limits))
}

fn one(
    setting: &Setting,
    system: &Installed,
    concurrency: usize,
    (long, jobs): (bool, u64),
    all: &mut BTreeMap<Who, Figures>,
) -> Result<()> {
    let drained = setting.drain(system, "no_op", concurrency, setting.jobs(jobs));
    let Some(drained) = setting.attempt(system.system, drained)? else {
        return Ok(());
    };
    let who = Who {
        system: system.system,
        long,
        concurrency,
    };
    all.entry(who).or_default().add(&drained);
    Ok(())
}

impl Figures {
    fn add(&mut self, drained: &Drained) {
        let (worker, redis) = drained.cpu();
        self.rate.add(drained.rate());
        self.worker.add(worker);
        self.redis.add(redis);
        self.cpu.add(worker + redis);
        self.trips.add(drained.trips());
        self.bytes.add(drained.bytes());
        self.memory.add(drained.memory);
    }
}

impl Who {
    fn name(&self) -> String {
        let jobs = STEPS
            .iter()
            .find(|(concurrency, ..)| *concurrency == self.concurrency)
            .map_or(0, |(_, _, long)| *long);
        match self.long {
            true => format!("sancho, {} jobs", count(jobs)),
            false => self.system.name().to_owned(),
        }
    }
}

fn section(all: &BTreeMap<Who, Figures>, limits: &BTreeMap<u32, Sample>) -> Section {
    let mut section = Section::default();
    for (concurrency, jobs, _) in STEPS {
        section.line(&format!(
            "Concurrency {}, {} jobs:",
            count(concurrency),
            count(jobs)
        ));
        let mut table = Table::new([
            "",
            "jobs/s",
            "CPU µs a job",
            "worker",
            "Redis",
            "round trips a job",
            "bytes a job",
            "peak MB",
        ]);
        for (who, figures) in all.iter().filter(|(who, _)| who.concurrency == concurrency) {
            table.row(vec![
                who.name(),
                figures.rate.show(),
                figures.cpu.show(),
                number(figures.worker.median()),
                number(figures.redis.median()),
                number(figures.trips.median()),
                number(figures.bytes.median()),
                number(figures.memory.median()),
            ]);
        }
        section.table(&table);
    }
    let mut table = Table::new([LIMIT, "requests/s"]);
    for (clients, rate) in limits {
        table.row(vec![format!("-c {clients}"), rate.show()]);
    }
    section.table(&table);
    plots(&mut section, all, limits);
    section.goals = goals(all, limits);
    section
}

fn plots(section: &mut Section, all: &BTreeMap<Who, Figures>, limits: &BTreeMap<u32, Sample>) {
    let mut bars: Vec<_> = all
        .iter()
        .filter(|(who, _)| who.concurrency == 50)
        .map(|(who, figures)| (who.name(), figures.rate.clone()))
        .collect();
    if let Some(limit) = limits.get(&50) {
        bars.push(("redis-benchmark lpush".into(), limit.clone()));
    }
    let bars = Bars {
        title: "No-op jobs drained, concurrency 50, one process".into(),
        unit: "jobs/s: the median and the range of the rounds; longer is better".into(),
        bars,
    };
    section.plot("drain", "Jobs drained a second", bars.svg());
    let lines = Lines {
        title: "CPU a job, worker and Redis together".into(),
        unit: "µs, on a logarithmic scale; lower is better".into(),
        axis: "jobs at once".into(),
        settings: STEPS.map(|(concurrency, ..)| count(concurrency)).to_vec(),
        lines: System::ALL
            .into_iter()
            .filter(|system| all.keys().any(|who| who.system == *system))
            .map(|system| {
                let line = STEPS.map(|(concurrency, ..)| {
                    let long = system == System::Sancho;
                    all.get(&Who {
                        system,
                        long,
                        concurrency,
                    })
                    .map(|figures| figures.cpu.median())
                });
                (system.name().to_owned(), line.to_vec())
            })
            .collect(),
    };
    section.plot("drain-cpu", "CPU a job", lines.svg());
}

fn goals(all: &BTreeMap<Who, Figures>, limits: &BTreeMap<u32, Sample>) -> Vec<Goal> {
    let of = |system, long, concurrency| {
        all.get(&Who {
            system,
            long,
            concurrency,
        })
    };
    let mut goals = Vec::new();
    if let Some(long) = of(System::Sancho, true, 50) {
        let rate = long.rate.median();
        goals.push(Goal::at_least(
            "drain no-op, concurrency 50",
            rate,
            100_000.0,
            " jobs/s",
        ));
        if let Some(limit) = limits.get(&50) {
            let times = rate / limit.median();
            goals.push(Goal::at_least(
                "the same, beside `redis-benchmark -t lpush -c 50 -P 1`",
                times,
                1.8,
                " times",
            ));
        }
    }
    if let Some(ours) = of(System::Sancho, false, 50) {
        for (system, times) in TIMES {
            if let Some(theirs) = of(system, false, 50) {
                let measured = ours.rate.median() / theirs.rate.median();
                let what = format!("the same, beside {}", system.name());
                goals.push(Goal::at_least(&what, measured, times, " times"));
            }
        }
    }
    if let Some(long) = of(System::Sancho, true, 1_000) {
        goals.push(Goal::at_least(
            "drain no-op, concurrency 1,000",
            long.rate.median(),
            150_000.0,
            " jobs/s",
        ));
    }
    for (concurrency, goal) in CPU {
        if let Some(long) = of(System::Sancho, true, concurrency) {
            let what = format!(
                "CPU a job, worker and Redis, concurrency {}",
                count(concurrency)
            );
            goals.push(Goal::at_most(&what, long.cpu.median(), goal, " µs"));
        }
    }
    if let Some(long) = of(System::Sancho, true, 50) {
        goals.push(Goal::at_most(
            "round trips a job, concurrency 50",
            long.trips.median(),
            0.05,
            "",
        ));
    }
    goals
}
