//! Where do the instructions of a drained job go? callgrind counts them, by file and line; this adds them up by part.

mod callgrind;
mod parts;

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::figures::{Sample, count, number};
use crate::report::{Bars, Section, Table};
use crate::rig::{Folder, Process, Redis, System};
use crate::setting::{Profile, Setting, say};
use callgrind::Calls;
use parts::Part;

/// How many of the most expensive files are named.
const FILES: usize = 15;

/// Builds the worker with line tables, and drains a queue with it under callgrind.
pub(crate) fn measure(jobs: u64, concurrency: usize) -> Result<Section> {
    let target = Path::new("target/profile");
    say("builds the worker with line tables");
    let built = Command::new("cargo")
        .args([
            "build",
            "--release",
            "-p",
            "sancho-bench",
            "--bin",
            "sancho-bench",
            "--target-dir",
        ])
        .arg(target)
        .args(["--config", "profile.release.debug=\"line-tables-only\""])
        .status()?;
    if !built.success() {
        return Err("cargo cannot build the worker: run this in the root of the repository".into());
    }
    let setting = Setting {
        rounds: 1,
        profile: Profile::Standard,
        systems: vec![System::Sancho.install()?],
        failures: std::cell::RefCell::default(),
    };
    let redis = Redis::start()?;
    setting.fill(&redis.url(), System::Sancho, "no_op", jobs)?;
    let folder = Folder::new()?;
    let counted = folder.file("callgrind.out");
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--dump-line=yes"]);
    command.arg(format!("--callgrind-out-file={}", counted.display()));
    command.arg(target.join("release/sancho-bench"));
    command.args([
        "work",
        &redis.url(),
        "no_op",
        &concurrency.to_string(),
        &jobs.to_string(),
    ]);
    say("drains under callgrind");
    let worker = Process::start("valgrind", &command)
        .map_err(|error| format!("{error} (Debian: apt-get install valgrind)"))?;
    worker.line("last")?;
    worker.stop();
    let text = std::fs::read_to_string(&counted)?;
    Ok(section(&Calls::parse(&text), jobs, concurrency))
}

fn section(calls: &Calls, jobs: u64, concurrency: usize) -> Section {
    let by_part = parts::add_up(calls);
    let total: f64 = by_part.values().sum();
    let each = |cost: f64| number(cost / jobs as f64);
    let share = |cost: f64| format!("{} %", number(100.0 * cost / total));
    let mut section = Section::default();
    section.line(&format!(
        "No-op jobs at concurrency {concurrency}, {} of them: {} instructions a job, the start and the stop of the process included.",
        count(jobs),
        each(total)
    ));
    let mut table = Table::new(["part", "instructions a job", "share"]);
    let mut bars = Vec::new();
    for part in Part::ALL {
        let cost = by_part.get(&part).copied().unwrap_or(0.0);
        table.row(vec![part.name().to_owned(), each(cost), share(cost)]);
        let sample: Sample = std::iter::once(cost / jobs as f64).collect();
        bars.push((part.short().to_owned(), sample));
    }
    section.table(&table);
    let mut files: Vec<_> = calls.by_file().into_iter().collect();
    files.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut table = Table::new([
        "the most expensive files, by themselves",
        "instructions a job",
        "share",
    ]);
    for (file, cost) in files.into_iter().take(FILES) {
        table.row(vec![
            format!("`{}`", parts::shorten(&file)),
            each(cost),
            share(cost),
        ]);
    }
    section.table(&table);
    let bars = Bars {
        title: format!("Instructions of the worker for a no-op job, concurrency {concurrency}"),
        unit: "shorter is better".into(),
        bars,
    };
    section.plot("profile", "Where the instructions go", bars.svg());
    section
}
