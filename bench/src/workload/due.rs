//! 100,000 jobs due at the same moment: when have they started, and does a more urgent queue wait for them?

use std::time::{Duration, Instant};

use crate::Result;
use crate::figures::{Sample, Spread, number};
use crate::report::{Bars, Goal, Section, Table};
use crate::rig::{Push, Redis, Work, pause, wall_ns};
use crate::setting::{Setting, pushed, say};

const JOBS: u64 = 100_000;
const CONCURRENCY: usize = 50;

/// Pushes to the more urgent queue, from a tenth of a second after the moment on.
const URGENT: u64 = 40;
const URGENT_EVERY: u64 = 25_000_000;

/// How far ahead the moment lies when the pushes begin.
const AHEAD: Duration = Duration::from_secs(4);

/// How often the worker says how far it is.
const EVERY: u64 = 500;

#[derive(Debug, Default)]
struct Figures {
    half: Sample,
    all: Sample,
    urgent: Spread,
    worst_urgent: Sample,
    redis: Sample,
}

pub(crate) fn measure(setting: &Setting) -> Result<Section> {
    let mut figures = Figures::default();
    for round in 0..setting.rounds {
        say(&format!("due: round {}", round + 1));
        one(setting, setting.jobs(JOBS), &mut figures)?;
    }
    Ok(section(&figures))
}

fn one(setting: &Setting, jobs: u64, figures: &mut Figures) -> Result<()> {
    let ours = setting.sancho()?;
    let mut redis = Redis::start()?;
    let url = redis.url();
    let work = Work {
        url: &url,
        job: "no_op",
        concurrency: CONCURRENCY,
        jobs: jobs + URGENT + 1,
    };
    let every = EVERY.to_string();
    let worker = ours.work_with(&work, &["--queues", "critical,default", "--every", &every])?;
    let push = Push {
        url: &url,
        job: "pick_up",
        how: "urgent",
        jobs: 1,
        number: 1,
    };
    pushed(ours, &push)?;
    worker.line("first")?;

    let due = Instant::now() + AHEAD;
    let due_ns = wall_ns() + u64::try_from(AHEAD.as_nanos())?;
    pushed(
        ours,
        &Push {
            job: "no_op",
            how: "due",
            jobs,
            number: due_ns,
            ..push
        },
    )?;
    pause(due.saturating_duration_since(Instant::now()) + Duration::from_millis(100));
    let before = redis.usage()?;
    let urgent = ours.push(&Push {
        jobs: URGENT,
        number: URGENT_EVERY,
        ..push
    })?;
    let mut half = None;
    let all = loop {
        // Urgent ones are counted too: they are few.
        let line = worker.line("ended")?;
        let ended: u64 = line.text.split(' ').nth(1).unwrap_or_default().parse()?;
        if ended >= jobs / 2 && half.is_none() {
            half = Some(line.at);
        }
        if ended + EVERY > jobs {
            break line.at;
        }
    };
    let used = redis.usage()?.since(&before);
    urgent.line("last")?;
    let took = worker.numbers("took")?;
    let since = |at: Instant| at.saturating_duration_since(due).as_secs_f64();
    figures.half.add(since(half.unwrap_or(all)));
    figures.all.add(since(all));
    let urgent: Vec<u64> = took.into_iter().skip(1).collect();
    figures
        .worst_urgent
        .add(urgent.iter().max().map_or(f64::NAN, |ns| *ns as f64 / 1e6));
    figures.urgent.add(urgent);
    figures
        .redis
        .add(used.cpu.as_secs_f64() * 1e6 / jobs as f64);
    Ok(())
}

fn section(figures: &Figures) -> Section {
    let mut section = Section::default();
    let mut table = Table::new(["", ""]);
    let mut row = |what: &str, value: String| table.row(vec![what.to_owned(), value]);
    row("half of them have run after, s", figures.half.show());
    row("all of them have run after, s", figures.all.show());
    row(
        "push to first line in the more urgent queue meanwhile, p50, ms",
        number(figures.urgent.ms(500)),
    );
    row(
        "the same, the slowest of a round, ms",
        figures.worst_urgent.show(),
    );
    row(
        "Redis CPU a job, µs (after the first 0.1 s)",
        figures.redis.show(),
    );
    section.table(&table);
    let bars = Bars {
        title: "100,000 jobs due at the same moment".into(),
        unit: "seconds after that moment; shorter is better".into(),
        bars: vec![
            ("sancho, half have run".into(), figures.half.clone()),
            ("sancho, all have run".into(), figures.all.clone()),
        ],
    };
    section.plot("due", "Due at once", bars.svg());
    section.goals = vec![
        Goal::at_most(
            "100,000 due at once, all have run",
            figures.all.median(),
            4.0,
            " s",
        ),
        Goal::at_most(
            "a push to a more urgent queue meanwhile, the slowest",
            figures.worst_urgent.median(),
            100.0,
            " ms",
        ),
    ];
    section
}
