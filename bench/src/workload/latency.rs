//! How long does a job wait from its push to its first line in another process, if that is idle, and if it is half busy?

use std::collections::BTreeMap;
use std::process::Command;

use crate::Result;
use crate::figures::{Sample, Spread, count, number};
use crate::report::{Goal, Lines, Section, Table};
use crate::rig::{Installed, Process, Push, Redis, Resp, System, Work, now_ns, pause_until};
use crate::setting::{Setting, pushed, say};

/// The concurrency of the workers.
const CONCURRENCY: usize = 50;

/// The job, how many, and how far apart. Fifty slots and jobs of 10 ms are half busy with 2,500 jobs a second.
const STEPS: [(&str, &str, u64, u64); 2] = [
    ("idle", "pick_up", 600, 3_000_000),
    ("half busy", "pick_up_wait", 3_000, 400_000),
];

/// The percentiles, in thousandths.
const PERCENTILES: [(&str, usize); 5] = [
    ("p50", 500),
    ("p90", 900),
    ("p99", 990),
    ("p99.9", 999),
    ("most", 1000),
];

/// What the bare hand-over is called.
const BARE: &str = "bare LPUSH to BLMOVE";

#[derive(Debug, Default)]
struct Figures {
    all: Spread,
    /// The p50 of each round.
    p50: Sample,
    p99: Sample,
}

type All = BTreeMap<(usize, Option<System>), Figures>;

pub(crate) fn measure(setting: &Setting) -> Result<Section> {
    let mut all = All::new();
    for round in 0..setting.rounds {
        say(&format!("latency: round {}", round + 1));
        let (_, _, jobs, every) = STEPS[0];
        all.entry((0, None))
            .or_default()
            .add(bare(setting.jobs(jobs), every)?);
        for (step, (_, job, jobs, every)) in STEPS.into_iter().enumerate() {
            for installed in &setting.systems {
                let took = one(setting, installed, job, setting.jobs(jobs), every);
                let Some(took) = setting.attempt(installed.system, took)? else {
                    continue;
                };
                all.entry((step, Some(installed.system)))
                    .or_default()
                    .add(took);
            }
        }
    }
    Ok(section(&all))
}

fn one(
    setting: &Setting,
    installed: &Installed,
    job: &str,
    jobs: u64,
    every: u64,
) -> Result<Vec<u64>> {
    let redis = Redis::start()?;
    let url = redis.url();
    let work = Work {
        url: &url,
        job,
        concurrency: CONCURRENCY,
        jobs: jobs + 1,
    };
    let worker = installed.work(&work)?;
    // The first one finds a worker that starts.
    let push = Push {
        url: &url,
        job,
        how: "single",
        jobs: 1,
        number: 1,
    };
    pushed(setting.system(installed.system)?, &push)?;
    worker.line("first")?;
    pushed(
        installed,
        &Push {
            how: "paced",
            jobs,
            number: every,
            ..push
        },
    )?;
    let took = worker.numbers("took")?;
    Ok(took.into_iter().skip(1).collect())
}

/// What Redis and two processes need at least: one pushes, the other blocks.
fn bare(jobs: u64, every: u64) -> Result<Vec<u64>> {
    let redis = Redis::start()?;
    let mut receiver = Command::new(std::env::current_exe()?);
    receiver.args(["handover", &redis.port().to_string(), &jobs.to_string()]);
    let receiver = Process::start("the receiver", &receiver)?;
    receiver.line("first")?;
    let mut connection = Resp::connect(redis.port())?;
    let start = now_ns();
    for n in 0..jobs {
        pause_until(start + n * every);
        connection.call(&["LPUSH", "queue", &now_ns().to_string()])?;
    }
    receiver.numbers("took")
}

/// The receiver of the bare hand-over.
pub(crate) fn receive(port: u16, jobs: u64) -> Result<()> {
    let mut connection = Resp::connect(port)?;
    println!("first");
    let mut took = Vec::new();
    for _ in 0..jobs {
        let pushed: u64 = connection
            .call(&["BLMOVE", "queue", "taken", "RIGHT", "LEFT", "0"])?
            .parse()?;
        took.push(now_ns().saturating_sub(pushed).to_string());
    }
    println!("took {}", took.join(" "));
    Ok(())
}

impl Figures {
    fn add(&mut self, took: Vec<u64>) {
        let mut round = Spread::default();
        round.add(took.iter().copied());
        self.p50.add(round.ms(500));
        self.p99.add(round.ms(990));
        self.all.add(took);
    }
}

fn name(system: Option<System>) -> &'static str {
    system.map_or(BARE, System::name)
}

fn section(all: &All) -> Section {
    let mut section = Section::default();
    for (step, (state, _, _, every)) in STEPS.into_iter().enumerate() {
        let every = number(every as f64 / 1e6);
        section.line(&format!("From push to first line, in milliseconds; the worker is {state}, a push every {every} ms:"));
        let mut table = Table::new([
            "",
            "p50",
            "p90",
            "p99",
            "p99.9",
            "most",
            "p50 of the rounds",
            "jobs",
        ]);
        for ((_, system), figures) in all.iter().filter(|((at, _), _)| *at == step) {
            let mut row = vec![name(*system).to_owned()];
            row.extend(PERCENTILES.map(|(_, per_mille)| number(figures.all.ms(per_mille))));
            row.extend([figures.p50.show(), count(figures.all.len())]);
            table.row(row);
        }
        section.table(&table);
        let plot = Lines {
            title: format!("From push to first line in another process, {state}"),
            unit: "ms, on a logarithmic scale; lower is better".into(),
            axis: "percentile".into(),
            settings: PERCENTILES.map(|(name, _)| name.to_owned()).to_vec(),
            // Ours first, as it is in every plot.
            lines: all
                .iter()
                .filter(|((at, system), _)| *at == step && system.is_some())
                .chain(
                    all.iter()
                        .filter(|((at, system), _)| *at == step && system.is_none()),
                )
                .map(|((_, system), figures)| {
                    let line = PERCENTILES.map(|(_, per_mille)| Some(figures.all.ms(per_mille)));
                    (name(*system).to_owned(), line.to_vec())
                })
                .collect(),
        };
        section.plot(
            &format!("latency-{}", state.replace(' ', "-")),
            "Latency",
            plot.svg(),
        );
    }
    section.goals = goals(all);
    section
}

fn goals(all: &All) -> Vec<Goal> {
    let (Some(ours), Some(bare)) = (all.get(&(0, Some(System::Sancho))), all.get(&(0, None)))
    else {
        return Vec::new();
    };
    let p50 = ours.p50.median();
    let mut goals = vec![
        Goal::at_most(
            "idle pick-up, p50, beside a bare hand-over",
            p50 / bare.p50.median(),
            3.0,
            " times",
        ),
        Goal::at_most("idle pick-up, p99", ours.p99.median(), 2.0, " ms"),
    ];
    let peers = all.iter().filter(|((step, system), _)| {
        *step == 0 && system.is_some_and(|system| system != System::Sancho)
    });
    if let Some(best) = peers
        .map(|(_, figures)| figures.p50.median())
        .min_by(f64::total_cmp)
    {
        goals.push(Goal::at_most(
            "idle pick-up, p50, beside the fastest peer",
            p50,
            best,
            " ms",
        ));
    }
    goals
}
