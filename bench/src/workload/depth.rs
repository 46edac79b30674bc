//! Does a long queue slow a worker down, or cost it memory?

use crate::Result;
use crate::figures::{Sample, count, megabytes, number};
use crate::report::{Bars, Goal, Section, Table};
use crate::rig::{Redis, System, Work};
use crate::setting::{Drained, Profile, Setting, say};

/// How many wait.
const DEPTHS: [u64; 4] = [10_000, 500_000, 1_000_000, 5_000_000];

/// How many of them are drained and replaced in a round; all where there are fewer.
const JOBS: u64 = 200_000;
const CONCURRENCY: usize = 50;

/// Those that are compared.
const SHALLOW: u64 = 500_000;
const DEEP: u64 = 5_000_000;

/// A queue that keeps its depth over the rounds.
#[derive(Debug)]
struct Depth {
    waiting: u64,
    redis: Redis,
    rate: Sample,
    worker_memory: Sample,
    redis_memory: f64,
}

pub(crate) fn measure(setting: &Setting) -> Result<Section> {
    let mut depths = Vec::new();
    for waiting in DEPTHS {
        say(&format!("depth: fills {}", count(waiting)));
        let mut redis = Redis::start()?;
        setting.fill(&redis.url(), System::Sancho, "no_op", setting.jobs(waiting))?;
        let redis_memory = megabytes(redis.usage()?.memory);
        depths.push(Depth {
            waiting,
            redis,
            rate: Sample::default(),
            worker_memory: Sample::default(),
            redis_memory,
        });
    }
    for round in 0..setting.rounds {
        say(&format!("depth: round {}", round + 1));
        for depth in &mut depths {
            let jobs = setting.jobs(JOBS.min(depth.waiting));
            let drained = one(setting, &depth.redis, jobs)?;
            depth.rate.add(drained.rate());
            depth.worker_memory.add(drained.memory);
            depth.refill(setting)?;
        }
    }
    let rounds = match setting.profile {
        Profile::Full => setting.rounds,
        Profile::Quick | Profile::Standard => 1,
    };
    let (mut whole, mut whole_memory) = (Sample::default(), 0.0_f64);
    for round in 0..rounds {
        say(&format!("depth: drains all, round {}", round + 1));
        if let Some(deep) = depths.last_mut() {
            deep.refill(setting)?;
            let drained = one(setting, &deep.redis, setting.jobs(deep.waiting))?;
            whole.add(drained.rate());
            whole_memory = whole_memory.max(drained.memory);
        }
    }
    Ok(section(&depths, &whole, whole_memory))
}

impl Depth {
    /// Pushes as many as are missing: a worker goes on until it is asked to end.
    fn refill(&mut self, setting: &Setting) -> Result<()> {
        let waiting: u64 = self.redis.call(&["LLEN", "queue:default"])?.parse()?;
        let missing = setting.jobs(self.waiting).saturating_sub(waiting);
        setting.fill(&self.redis.url(), System::Sancho, "no_op", missing)?;
        Ok(())
    }
}

fn one(setting: &Setting, redis: &Redis, jobs: u64) -> Result<Drained> {
    let url = redis.url();
    let work = Work {
        url: &url,
        job: "no_op",
        concurrency: CONCURRENCY,
        jobs,
    };
    let worker = setting.sancho()?.work(&work)?;
    let drained = Drained::watch(&worker, None, jobs)?;
    worker.stop();
    Ok(drained)
}

fn section(depths: &[Depth], whole: &Sample, whole_memory: f64) -> Section {
    let mut section = Section::default();
    let mut table = Table::new(["waiting", "jobs/s", "worker's peak MB", "Redis's MB"]);
    for depth in depths {
        table.row(vec![
            count(depth.waiting),
            depth.rate.show(),
            depth.worker_memory.show(),
            number(depth.redis_memory),
        ]);
    }
    table.row(vec![
        "5,000,000, drained to the last".into(),
        whole.show(),
        number(whole_memory),
        "-".into(),
    ]);
    section.table(&table);
    let bars = Bars {
        title: "Drained from a queue of this length, concurrency 50".into(),
        unit: "jobs/s: the median and the range of the rounds; longer is better".into(),
        bars: depths
            .iter()
            .map(|depth| {
                (
                    format!("sancho, {} waiting", count(depth.waiting)),
                    depth.rate.clone(),
                )
            })
            .collect(),
    };
    section.plot("depth", "Long queues", bars.svg());
    let of = |waiting| depths.iter().find(|depth| depth.waiting == waiting);
    if let (Some(shallow), Some(deep)) = (of(SHALLOW), of(DEEP)) {
        let share = 100.0 * deep.rate.median() / shallow.rate.median();
        section.goals.push(Goal::at_least(
            "5,000,000 waiting, of the rate with 500,000",
            share,
            90.0,
            " %",
        ));
        let memory = deep.worker_memory.median() - shallow.worker_memory.median();
        section.goals.push(Goal::at_most(
            "5,000,000 waiting, the worker's memory above that with 500,000",
            memory,
            1.0,
            " MB",
        ));
    }
    section
}
