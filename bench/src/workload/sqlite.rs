//! The same on SQLite, which survives the process (`NORMAL`) or a loss of power (`FULL`); and two processes on one file.

use crate::Result;
use crate::figures::{Sample, count, number};
use crate::report::{Bars, Goal, Section, Table};
use crate::rig::{Folder, System, Work};
use crate::setting::{Drained, Setting, rate, say};

use super::crew;

/// The mode, how its URL begins, the jobs, and the goal of jobs a second.
const STEPS: [(&str, &str, u64, f64); 2] = [
    ("NORMAL", "sqlite:", 200_000, 50_000.0),
    ("FULL", "sqlite-full:", 100_000, 25_000.0),
];

const CONCURRENCY: usize = 50;

#[derive(Debug, Default)]
struct Figures {
    rate: Sample,
    fill: Sample,
    cpu: Sample,
    memory: Sample,
    two: Sample,
    gap: Sample,
}

pub(crate) fn measure(setting: &Setting) -> Result<Section> {
    let mut all = STEPS.map(|_| Figures::default());
    for round in 0..setting.rounds {
        say(&format!("sqlite: round {}", round + 1));
        for ((_, scheme, jobs, _), figures) in STEPS.iter().zip(&mut all) {
            one(setting, scheme, setting.jobs(*jobs), figures)?;
            two(setting, scheme, setting.jobs(*jobs).max(20_000), figures)?;
        }
    }
    Ok(section(&all))
}

fn one(setting: &Setting, scheme: &str, jobs: u64, figures: &mut Figures) -> Result<()> {
    let folder = Folder::new()?;
    let url = format!("{scheme}{}", folder.file("bench.db").display());
    let filled = setting.fill(&url, System::Sancho, "no_op", jobs)?;
    let work = Work {
        url: &url,
        job: "no_op",
        concurrency: CONCURRENCY,
        jobs,
    };
    let worker = setting.sancho()?.work(&work)?;
    let drained = Drained::watch(&worker, None, jobs)?;
    figures.rate.add(drained.rate());
    figures.fill.add(rate(jobs, filled));
    figures.cpu.add(drained.cpu().0);
    figures.memory.add(drained.memory);
    Ok(())
}

fn two(setting: &Setting, scheme: &str, jobs: u64, figures: &mut Figures) -> Result<()> {
    let folder = Folder::new()?;
    let url = format!("{scheme}{}", folder.file("bench.db").display());
    setting.fill(&url, System::Sancho, "no_op", jobs)?;
    let crew = crew::drain(setting, &url, CONCURRENCY, jobs, 2)?;
    figures.two.add(crew.rate);
    figures.gap.add(crew.gap);
    Ok(())
}

fn section(all: &[Figures; 2]) -> Section {
    let mut section = Section::default();
    let mut table = Table::new([
        "synchronous",
        "jobs/s",
        "CPU µs a job",
        "peak MB",
        "bulk jobs/s",
        "two processes, jobs/s",
        "their longest gap, ms",
    ]);
    let mut bars = Vec::new();
    for ((mode, _, jobs, goal), figures) in STEPS.into_iter().zip(all) {
        table.row(vec![
            format!("{mode}, {} jobs", count(jobs)),
            figures.rate.show(),
            figures.cpu.show(),
            number(figures.memory.median()),
            figures.fill.show(),
            figures.two.show(),
            figures.gap.show(),
        ]);
        bars.push((format!("sancho, {mode}"), figures.rate.clone()));
        bars.push((format!("sancho, {mode}, two"), figures.two.clone()));
        let what = format!("SQLite `{mode}`, drain no-op, concurrency 50");
        section.goals.push(Goal::at_least(
            &what,
            figures.rate.median(),
            goal,
            " jobs/s",
        ));
        if mode == "NORMAL" {
            let what = "SQLite, two processes on one file, the longest time in which one of them ended no job";
            section
                .goals
                .push(Goal::at_most(what, figures.gap.median(), 100.0, " ms"));
        }
    }
    section.table(&table);
    let bars = Bars {
        title: "No-op jobs drained from a SQLite file, by one process and by two".into(),
        unit:
            "jobs/s, concurrency 50 each: the median and the range of the rounds; longer is better"
                .into(),
        bars,
    };
    section.plot("sqlite", "SQLite", bars.svg());
    section
}
