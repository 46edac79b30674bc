//! How late do scheduled jobs start, in a worker that has nothing else to do?

use crate::Result;
use crate::figures::{Sample, Spread, number};
use crate::report::{Goal, Lines, Section, Table};
use crate::rig::{Push, Redis, Work, wall_ns};
use crate::setting::{Setting, pushed, say};

/// A millisecond after one another.
const JOBS: u64 = 2_000;
const CONCURRENCY: usize = 50;

/// How far ahead the first one lies when the pushes begin, in nanoseconds.
const AHEAD: u64 = 1_500_000_000;

const PERCENTILES: [(&str, usize); 5] = [
    ("p50", 500),
    ("p90", 900),
    ("p99", 990),
    ("p99.9", 999),
    ("most", 1000),
];

pub(crate) fn measure(setting: &Setting) -> Result<Section> {
    let mut all = Spread::default();
    let mut p99 = Sample::default();
    for round in 0..setting.rounds {
        say(&format!("lateness: round {}", round + 1));
        let mut spread = Spread::default();
        spread.add(one(setting)?);
        p99.add(spread.ms(990));
        all.add(spread.values());
    }
    Ok(section(&all, &p99))
}

fn one(setting: &Setting) -> Result<Vec<u64>> {
    let jobs = setting.jobs(JOBS);
    let redis = Redis::start()?;
    let url = redis.url();
    let work = Work {
        url: &url,
        job: "late",
        concurrency: CONCURRENCY,
        jobs,
    };
    let worker = setting.sancho()?.work(&work)?;
    let push = Push {
        url: &url,
        job: "late",
        how: "spread",
        jobs,
        number: wall_ns() + AHEAD,
    };
    pushed(setting.sancho()?, &push)?;
    worker.numbers("took")
}

fn section(all: &Spread, p99: &Sample) -> Section {
    let mut section = Section::default();
    let mut table = Table::new([
        "",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "most",
        "p99 of the rounds",
    ]);
    let mut row = vec!["sancho, ms late".to_owned()];
    row.extend(PERCENTILES.map(|(_, per_mille)| number(all.ms(per_mille))));
    row.push(p99.show());
    table.row(row);
    section.table(&table);
    let plot = Lines {
        title: "How late scheduled jobs start".into(),
        unit: "ms, on a logarithmic scale; lower is better".into(),
        axis: "percentile".into(),
        settings: PERCENTILES.map(|(name, _)| name.to_owned()).to_vec(),
        lines: vec![(
            "sancho".into(),
            PERCENTILES
                .map(|(_, per_mille)| Some(all.ms(per_mille)))
                .to_vec(),
        )],
    };
    section.plot("lateness", "Lateness", plot.svg());
    section.goals = vec![Goal::at_most(
        "lateness of a scheduled job, p99",
        p99.median(),
        50.0,
        " ms",
    )];
    section
}
