//! What does a worker cost that has nothing to do?

use std::time::Duration;

use crate::Result;
use crate::figures::{megabytes, number};
use crate::report::{Bars, Goal, Section, Table};
use crate::rig::{Installed, Process, Push, Redis, System, Work, pause};
use crate::setting::{Profile, Setting, pushed, say};

const CONCURRENCY: usize = 50;

/// A multiple of our heartbeat.
const WATCHED: Duration = Duration::from_secs(12);

/// How often Redis is asked, to know what asking costs it.
const QUESTIONS: u32 = 200;

#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    trips: f64,
    bytes: f64,
    /// In percent of a core.
    worker: f64,
    redis: f64,
    memory: f64,
}

pub(crate) fn measure(setting: &Setting) -> Result<Section> {
    let time = match setting.profile {
        Profile::Quick => WATCHED / 4,
        Profile::Standard | Profile::Full => WATCHED,
    };
    say("idle: Redis alone");
    let mut redis = Redis::start()?;
    let question = question(&mut redis)?;
    let alone = watch(&mut redis, None, time, question)?;
    let mut all = Vec::new();
    for installed in &setting.systems {
        say(&format!("idle: {}", installed.system.name()));
        let figures = one(setting, installed, time, question);
        if let Some(figures) = setting.attempt(installed.system, figures)? {
            all.push((installed.system, figures));
        }
    }
    Ok(section(&alone, &all, question))
}

fn one(
    setting: &Setting,
    installed: &Installed,
    time: Duration,
    question: Duration,
) -> Result<Figures> {
    let mut redis = Redis::start()?;
    let url = redis.url();
    let work = Work {
        url: &url,
        job: "no_op",
        concurrency: CONCURRENCY,
        jobs: 1,
    };
    let worker = installed.work(&work)?;
    let push = Push {
        url: &url,
        job: "no_op",
        how: "single",
        jobs: 1,
        number: 1,
    };
    pushed(setting.system(installed.system.filled_by())?, &push)?;
    worker.line("first")?;
    pause(Duration::from_secs(1));
    watch(&mut redis, Some(&worker), time, question)
}

fn watch(
    redis: &mut Redis,
    worker: Option<&Process>,
    time: Duration,
    question: Duration,
) -> Result<Figures> {
    let cpu = || worker.map_or(Ok(Duration::ZERO), Process::cpu);
    let (before, worker_before) = (redis.usage()?, cpu()?);
    pause(time);
    let (used, worker_after) = (redis.usage()?.since(&before), cpu()?);
    let percent = |cpu: Duration| 100.0 * cpu.as_secs_f64() / time.as_secs_f64();
    Ok(Figures {
        trips: used.trips as f64 / time.as_secs_f64(),
        bytes: used.bytes as f64 / time.as_secs_f64(),
        worker: percent(worker_after.saturating_sub(worker_before)),
        redis: percent(used.cpu.saturating_sub(question)),
        memory: worker.map_or(Ok(0), Process::memory).map(megabytes)?,
    })
}

/// The CPU that one of our questions costs Redis.
fn question(redis: &mut Redis) -> Result<Duration> {
    let before = redis.usage()?;
    for _ in 0..QUESTIONS {
        redis.usage()?;
    }
    Ok(redis.usage()?.since(&before).cpu / QUESTIONS)
}

fn section(alone: &Figures, all: &[(System, Figures)], question: Duration) -> Section {
    let mut section = Section::default();
    let mut table = Table::new([
        "",
        "round trips/s",
        "bytes/s",
        "worker, % of a core",
        "Redis, % of a core above that of none",
        "memory, MB",
    ]);
    for (system, figures) in all {
        table.row(vec![
            system.name().to_owned(),
            number(figures.trips),
            number(figures.bytes),
            number(figures.worker),
            number((figures.redis - alone.redis).max(0.0)),
            number(figures.memory),
        ]);
    }
    section.table(&table);
    section.line(&format!(
        "Redis alone takes {} % of a core. Being asked what it did costs it {} µs each time, which is taken out.",
        number(alone.redis),
        number(question.as_secs_f64() * 1e6)
    ));
    let bars = Bars {
        title: "Memory of an idle worker, concurrency 50".into(),
        unit: "MB; shorter is better".into(),
        bars: all
            .iter()
            .map(|(system, figures)| {
                (
                    system.name().to_owned(),
                    std::iter::once(figures.memory).collect(),
                )
            })
            .collect(),
    };
    section.plot("idle", "An idle worker", bars.svg());
    if let Some((_, ours)) = all.iter().find(|(system, _)| *system == System::Sancho) {
        section.goals = vec![
            Goal::at_most("idle process, round trips", ours.trips, 1.0, "/s"),
            Goal::at_most("idle process, CPU", ours.worker, 0.1, " % of a core"),
            Goal::at_most("idle process, memory", ours.memory, 15.0, " MB"),
        ];
    }
    section
}
