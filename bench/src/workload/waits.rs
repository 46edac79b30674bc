//! How near to the ideal do jobs run that wait, or that need CPU?

use std::collections::BTreeMap;

use crate::Result;
use crate::figures::{Sample, count, number};
use crate::report::{Bars, Goal, Section, Table};
use crate::rig::System;
use crate::setting::{Profile, Setting, say};

/// The job, the seconds it takes, the concurrency, and how many.
const STEPS: [(&str, f64, usize, u64); 5] = [
    ("wait_1ms", 0.001, 50, 30_000),
    ("wait_1ms", 0.001, 1_000, 100_000),
    ("wait_10ms", 0.01, 50, 8_000),
    ("wait_10ms", 0.01, 1_000, 100_000),
    ("burn_100us", 0.0001, 50, 20_000),
];

/// The steps that peers take part in outside of the full profile.
const SHARED: usize = 2;

/// The step with the goal.
const GOAL: usize = 3;

#[derive(Debug, Default)]
struct Figures {
    rate: Sample,
    cpu: Sample,
}

pub(crate) fn measure(setting: &Setting) -> Result<Section> {
    let mut all: BTreeMap<(usize, System), Figures> = BTreeMap::new();
    for round in 0..setting.rounds {
        say(&format!("waits: round {}", round + 1));
        for (step, (job, _, concurrency, jobs)) in STEPS.into_iter().enumerate() {
            for installed in &setting.systems {
                let system = installed.system;
                if system != System::Sancho && step != SHARED && setting.profile != Profile::Full {
                    continue;
                }
                let drained = setting.drain(installed, job, concurrency, setting.jobs(jobs));
                let Some(drained) = setting.attempt(system, drained)? else {
                    continue;
                };
                let figures = all.entry((step, system)).or_default();
                let (worker, redis) = drained.cpu();
                figures.rate.add(drained.rate());
                figures.cpu.add(worker + redis);
            }
        }
    }
    Ok(section(&all))
}

/// The jobs a second where nothing but the jobs takes time. A job that burns needs a core.
fn ideal(step: usize) -> f64 {
    let (job, seconds, concurrency, _) = STEPS[step];
    let lanes = match job {
        "burn_100us" => concurrency.min(cores()),
        _ => concurrency,
    };
    lanes as f64 / seconds
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn section(all: &BTreeMap<(usize, System), Figures>) -> Section {
    let mut section = Section::default();
    let mut table = Table::new([
        "job, concurrency, jobs",
        "",
        "jobs/s",
        "of the ideal",
        "CPU µs a job, Redis included",
    ]);
    for ((step, system), figures) in all {
        let (job, _, concurrency, jobs) = STEPS[*step];
        table.row(vec![
            format!("`{job}`, {}, {}", count(concurrency), count(jobs)),
            system.name().to_owned(),
            figures.rate.show(),
            format!("{} %", number(100.0 * figures.rate.median() / ideal(*step))),
            figures.cpu.show(),
        ]);
    }
    section.table(&table);
    let bars = all
        .iter()
        .filter(|((step, _), _)| *step == SHARED)
        .map(|((_, system), figures)| (system.name().to_owned(), figures.rate.clone()))
        .collect();
    let bars = Bars {
        title: "Jobs that wait 10 ms, concurrency 50 (ideal: 5,000/s)".into(),
        unit: "jobs/s: the median and the range of the rounds; longer is better".into(),
        bars,
    };
    section.plot("waits", "Jobs that wait", bars.svg());
    if let Some(figures) = all.get(&(GOAL, System::Sancho)) {
        let limit = cores() as f64 * 1e6 / figures.cpu.median();
        let bound = ideal(GOAL).min(limit);
        let share = 100.0 * figures.rate.median() / bound;
        section.goals.push(Goal::at_least(
            "jobs that await 10 ms, concurrency 1,000, of the ideal or the CPU limit",
            share,
            60.0,
            " %",
        ));
    }
    section
}
