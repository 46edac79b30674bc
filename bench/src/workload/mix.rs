//! What do five queues in strict order cost, beside one?

use crate::Result;
use crate::figures::Sample;
use crate::report::{Bars, Section, Table};
use crate::rig::{Push, Redis, Work};
use crate::setting::{Drained, Setting, pushed, say};

const JOBS: u64 = 200_000;
const CONCURRENCY: usize = 50;

pub(crate) fn measure(setting: &Setting) -> Result<Section> {
    let mut figures = [
        ("one queue", Sample::default(), Sample::default()),
        ("five queues", Sample::default(), Sample::default()),
    ];
    for round in 0..setting.rounds {
        say(&format!("mix: round {}", round + 1));
        for (name, rate, cpu) in &mut figures {
            let drained = one(setting, *name == "five queues")?;
            let (worker, redis) = drained.cpu();
            rate.add(drained.rate());
            cpu.add(worker + redis);
        }
    }
    let mut section = Section::default();
    let mut table = Table::new(["", "jobs/s", "CPU µs a job, Redis included"]);
    let mut bars = Vec::new();
    for (name, rate, cpu) in figures {
        table.row(vec![name.to_owned(), rate.show(), cpu.show()]);
        bars.push((format!("sancho, {name}"), rate));
    }
    section.table(&table);
    let bars = Bars {
        title: "No-op jobs in one queue, and spread over five in strict order".into(),
        unit: "jobs/s at concurrency 50; longer is better".into(),
        bars,
    };
    section.plot("mix", "Five queues", bars.svg());
    Ok(section)
}

fn one(setting: &Setting, mixed: bool) -> Result<Drained> {
    let jobs = setting.jobs(JOBS);
    let mut redis = Redis::start()?;
    let url = redis.url();
    let how = if mixed { "mixed" } else { "bulk" };
    let push = Push {
        url: &url,
        job: "no_op",
        how,
        jobs,
        number: 0,
    };
    pushed(setting.sancho()?, &push)?;
    let work = Work {
        url: &url,
        job: "no_op",
        concurrency: CONCURRENCY,
        jobs,
    };
    let queues = if mixed { "q1,q2,q3,q4,q5" } else { "default" };
    let before = redis.usage()?;
    let worker = setting.sancho()?.work_with(&work, &["--queues", queues])?;
    Drained::watch(&worker, Some((&mut redis, before)), jobs)
}
