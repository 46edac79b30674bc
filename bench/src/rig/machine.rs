//! What it was measured on.

use std::process::Command;

use super::system::run;

/// The machine, as far as it says something about the figures.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) lines: Vec<(&'static str, String)>,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpu = field(&read("/proc/cpuinfo"), "model name");
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let memory: u64 = field(&read("/proc/meminfo"), "MemTotal")
            .trim_end_matches(" kB")
            .parse()
            .unwrap_or(0);
        let version = |program: &str| {
            run(Command::new(program).arg("--version")).unwrap_or_else(|_| "not installed".into())
        };
        let redis = version("redis-server");
        let redis = redis
            .split_whitespace()
            .find_map(|word| word.strip_prefix("v="))
            .unwrap_or("not installed");
        Self {
            lines: vec![
                ("CPU", format!("{cpu}, {cores} cores")),
                ("memory", format!("{} GiB", memory >> 20)),
                (
                    "kernel",
                    read("/proc/sys/kernel/osrelease").trim().to_owned(),
                ),
                (
                    "load when it began",
                    read("/proc/loadavg")
                        .split(' ')
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                ),
                ("Redis", redis.to_owned()),
                ("rustc", version("rustc")),
            ],
        }
    }
}

/// The value of a line `name: value`.
fn field(text: &str, name: &str) -> String {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .map(|rest| rest.trim_start_matches([':', ' ', '\t']).to_owned())
        .unwrap_or_default()
}
