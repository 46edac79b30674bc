//! What does a storm of failures cost: half of all jobs fail, and go to the retry set?

use crate::Result;
use crate::figures::Sample;
use crate::report::{Bars, Section, Table};
use crate::rig::{Redis, System, Work};
use crate::setting::{Drained, Setting, say};

const JOBS: u64 = 100_000;
const CONCURRENCY: usize = 50;

/// The job, and what is said of it.
const STEPS: [(&str, &str); 2] = [("no_op", "none fails"), ("fail_half", "half fail")];

pub(crate) fn measure(setting: &Setting) -> Result<Section> {
    let mut figures = STEPS.map(|step| {
        (
            step,
            Sample::default(),
            Sample::default(),
            Sample::default(),
        )
    });
    for round in 0..setting.rounds {
        say(&format!("retries: round {}", round + 1));
        for ((job, _), rate, worker, redis) in &mut figures {
            let drained = one(setting, job)?;
            rate.add(drained.rate());
            worker.add(drained.cpu().0);
            redis.add(drained.cpu().1);
        }
    }
    let mut section = Section::default();
    let mut table = Table::new(["", "jobs/s", "worker CPU µs a job", "Redis CPU µs a job"]);
    let mut bars = Vec::new();
    for ((_, name), rate, worker, redis) in figures {
        table.row(vec![
            name.to_owned(),
            rate.show(),
            worker.show(),
            redis.show(),
        ]);
        bars.push((format!("sancho, {name}"), rate));
    }
    section.table(&table);
    let bars = Bars {
        title: "Half of all jobs fail and are to be tried again".into(),
        unit: "executions/s at concurrency 50; longer is better".into(),
        bars,
    };
    section.plot("retries", "Failures", bars.svg());
    Ok(section)
}

fn one(setting: &Setting, job: &str) -> Result<Drained> {
    let jobs = setting.jobs(JOBS);
    let mut redis = Redis::start()?;
    let url = redis.url();
    setting.fill(&url, System::Sancho, job, jobs)?;
    let work = Work {
        url: &url,
        job,
        concurrency: CONCURRENCY,
        jobs,
    };
    let before = redis.usage()?;
    let worker = setting.sancho()?.work(&work)?;
    let drained = Drained::watch(&worker, Some((&mut redis, before)), jobs)?;
    worker.stop();
    let failed: u64 = redis.call(&["ZCARD", "retry"])?.parse()?;
    let expected = if job == "fail_half" { jobs / 2 } else { 0 };
    if failed != expected {
        return Err(format!("{failed} jobs are in the retry set, not {expected}").into());
    }
    Ok(drained)
}
