//! What do two and four processes do on one Redis?

use crate::Result;
use crate::figures::{Sample, count};
use crate::report::{Bars, Section, Table};
use crate::rig::{Redis, System};
use crate::setting::{Setting, say};

use super::crew;

const JOBS: u64 = 300_000;
const CONCURRENCY: usize = 50;
const PROCESSES: [u64; 3] = [1, 2, 4];

pub(crate) fn measure(setting: &Setting) -> Result<Section> {
    let jobs = setting.jobs(JOBS).max(20_000);
    let mut figures = PROCESSES.map(|processes| {
        (
            processes,
            Sample::default(),
            Sample::default(),
            Sample::default(),
        )
    });
    for round in 0..setting.rounds {
        say(&format!("processes: round {}", round + 1));
        for (processes, rate, worker, server) in &mut figures {
            let mut redis = Redis::start()?;
            setting.fill(&redis.url(), System::Sancho, "no_op", jobs)?;
            let before = redis.usage()?;
            let crew = crew::drain(setting, &redis.url(), CONCURRENCY, jobs, *processes)?;
            let used = redis.usage()?.since(&before);
            rate.add(crew.rate);
            worker.add(crew.cpu);
            server.add(used.cpu.as_secs_f64() * 1e6 / jobs as f64);
        }
    }
    let mut section = Section::default();
    let mut table = Table::new([
        "processes",
        "jobs/s",
        "workers' CPU µs a job",
        "Redis CPU µs a job",
    ]);
    let mut bars = Vec::new();
    for (processes, rate, worker, redis) in figures {
        table.row(vec![
            processes.to_string(),
            rate.show(),
            worker.show(),
            redis.show(),
        ]);
        bars.push((
            format!("sancho, {} at once", count(processes * CONCURRENCY as u64)),
            rate,
        ));
    }
    section.table(&table);
    let bars = Bars {
        title: "One, two and four processes of concurrency 50 on one Redis".into(),
        unit: "jobs/s of all together; longer is better".into(),
        bars,
    };
    section.plot("processes", "Several processes", bars.svg());
    Ok(section)
}
