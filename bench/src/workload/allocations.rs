//! How many allocations does a job cost?

use std::collections::BTreeMap;
use std::process::Command;

use crate::Result;
use crate::figures::{Sample, count, number};
use crate::report::{Bars, Section, Table};
use crate::rig::{Process, Redis};
use crate::setting::{Setting, say};

const JOBS: u64 = 200_000;

/// The concurrency.
const STEPS: [usize; 3] = [10, 50, 1_000];

/// What the counting program prints.
const COUNTED: [&str; 3] = ["allocations", "reallocations", "bytes"];

pub(crate) fn measure(setting: &Setting) -> Result<Section> {
    let program = std::env::current_exe()?.with_file_name("allocations");
    // The counting allocator is in a program of its own, so that nothing else pays for it.
    let built = Command::new("cargo")
        .args([
            "build",
            "--release",
            "-p",
            "sancho-bench",
            "--bin",
            "allocations",
        ])
        .output()?;
    if !built.status.success() {
        return Err(
            "cargo cannot build the program that counts: run this in the repository".into(),
        );
    }
    let jobs = setting.jobs(JOBS);
    let mut all: BTreeMap<usize, [f64; 3]> = BTreeMap::new();
    for concurrency in STEPS {
        say(&format!("allocations: at {concurrency}"));
        let redis = Redis::start()?;
        let mut command = Command::new(&program);
        command.args([redis.url(), concurrency.to_string(), jobs.to_string()]);
        let process = Process::start("allocations", &command)?;
        let mut counted = [0.0; 3];
        for (name, value) in COUNTED.iter().zip(&mut counted) {
            let total = process.numbers(name)?.first().copied().unwrap_or(0);
            *value = total as f64 / jobs as f64;
        }
        all.insert(concurrency, counted);
    }
    let mut section = Section::default();
    let mut table = Table::new([
        "concurrency",
        "allocations a job",
        "reallocations a job",
        "bytes a job",
    ]);
    let mut bars = Vec::new();
    for (concurrency, counted) in all {
        let mut row = vec![count(concurrency)];
        row.extend(counted.map(number));
        table.row(row);
        let sample: Sample = std::iter::once(counted[0]).collect();
        bars.push((format!("sancho, {concurrency} at once"), sample));
    }
    section.table(&table);
    let bars = Bars {
        title: "Allocations a no-op job, from the claim to its end".into(),
        unit: "in the whole worker process; shorter is better".into(),
        bars,
    };
    section.plot("allocations", "Allocations", bars.svg());
    Ok(section)
}
