//! How long does it take from the start of a worker to the end of its first job?

use std::collections::BTreeMap;
use std::time::Instant;

use crate::Result;
use crate::figures::Sample;
use crate::report::{Bars, Goal, Section, Table};
use crate::rig::{Installed, Redis, System, Work};
use crate::setting::{Setting, say};

/// How often in a round.
const TIMES: u32 = 3;
const CONCURRENCY: usize = 10;

pub(crate) fn measure(setting: &Setting) -> Result<Section> {
    let mut all: BTreeMap<System, Sample> = BTreeMap::new();
    for round in 0..setting.rounds {
        say(&format!("start: round {}", round + 1));
        for _ in 0..TIMES {
            for installed in &setting.systems {
                let took = one(setting, installed);
                if let Some(took) = setting.attempt(installed.system, took)? {
                    all.entry(installed.system).or_default().add(took);
                }
            }
        }
    }
    let mut section = Section::default();
    let mut table = Table::new(["", "ms from the start to the end of the first job"]);
    let mut bars = Vec::new();
    for (system, took) in &all {
        table.row(vec![system.name().to_owned(), took.show()]);
        bars.push((system.name().to_owned(), took.clone()));
    }
    section.table(&table);
    let bars = Bars {
        title: "From the start of a worker to the end of its first job".into(),
        unit: "ms; shorter is better".into(),
        bars,
    };
    section.plot("start", "Start", bars.svg());
    if let Some(took) = all.get(&System::Sancho) {
        section.goals.push(Goal::at_most(
            "start to first job run",
            took.median(),
            100.0,
            " ms",
        ));
    }
    Ok(section)
}

fn one(setting: &Setting, installed: &Installed) -> Result<f64> {
    let redis = Redis::start()?;
    let url = redis.url();
    setting.fill(&url, installed.system, "no_op", 1)?;
    let work = Work {
        url: &url,
        job: "no_op",
        concurrency: CONCURRENCY,
        jobs: 1,
    };
    let start = Instant::now();
    let worker = installed.work(&work)?;
    let first = worker.line("first")?;
    Ok((first.at - start).as_secs_f64() * 1e3)
}
