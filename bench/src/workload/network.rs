//! What does a network cost: a millisecond more for each round trip?

use std::time::Duration;

use crate::Result;
use crate::figures::{Sample, count, number};
use crate::report::{Lines, Section, Table};
use crate::rig::{Proxy, Redis, System, Work};
use crate::setting::{Drained, Setting, say};

/// Half of it each way.
const DELAY: Duration = Duration::from_millis(1);

/// The concurrency and the jobs.
const STEPS: [(usize, u64); 3] = [(10, 10_000), (50, 50_000), (1_000, 100_000)];

/// What stands between worker and Redis.
const WAYS: [(&str, Option<Duration>); 3] = [
    ("direct", None),
    ("proxy, no delay", Some(Duration::ZERO)),
    ("proxy, +1 ms", Some(DELAY)),
];

pub(crate) fn measure(setting: &Setting) -> Result<Section> {
    let mut figures = WAYS.map(|_| STEPS.map(|_| (Sample::default(), Sample::default())));
    for round in 0..setting.rounds {
        say(&format!("network: round {}", round + 1));
        for ((_, way), steps) in WAYS.iter().zip(&mut figures) {
            for ((concurrency, jobs), (rate, trips)) in STEPS.iter().zip(steps) {
                let drained = one(setting, *way, *concurrency, setting.jobs(*jobs))?;
                rate.add(drained.rate());
                trips.add(drained.trips());
            }
        }
    }
    let mut section = Section::default();
    let mut table = Table::new(["", "concurrency", "jobs/s", "round trips a job"]);
    for ((name, _), steps) in WAYS.iter().zip(&figures) {
        for ((concurrency, _), (rate, trips)) in STEPS.iter().zip(steps) {
            table.row(vec![
                (*name).to_owned(),
                count(*concurrency),
                rate.show(),
                number(trips.median()),
            ]);
        }
    }
    section.table(&table);
    let plot = Lines {
        title: "A millisecond more for each round trip".into(),
        unit: "jobs/s, on a logarithmic scale; higher is better".into(),
        axis: "jobs at once".into(),
        settings: STEPS.map(|(concurrency, _)| count(concurrency)).to_vec(),
        lines: WAYS
            .iter()
            .zip(&figures)
            .map(|((name, _), steps)| {
                let line = steps.iter().map(|(rate, _)| Some(rate.median())).collect();
                ((*name).to_owned(), line)
            })
            .collect(),
    };
    section.plot("network", "A slow network", plot.svg());
    Ok(section)
}

fn one(setting: &Setting, way: Option<Duration>, concurrency: usize, jobs: u64) -> Result<Drained> {
    let mut redis = Redis::start()?;
    setting.fill(&redis.url(), System::Sancho, "no_op", jobs)?;
    let url = match way {
        Some(delay) => Proxy::start(redis.port(), delay)?.url(),
        None => redis.url(),
    };
    let work = Work {
        url: &url,
        job: "no_op",
        concurrency,
        jobs,
    };
    let before = redis.usage()?;
    let worker = setting.sancho()?.work(&work)?;
    Drained::watch(&worker, Some((&mut redis, before)), jobs)
}
