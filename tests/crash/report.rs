//! Where the figures go: to the file that `CRASH_REPORT` names, if it does, as rows of a table in Markdown.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

/// Adds a row, in one write, so that tests may report at once.
pub(crate) fn row(cells: &[String]) {
    if let Ok(path) = env::var("CRASH_REPORT") {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        file.write_all(format!("| {} |\n", cells.join(" | ")).as_bytes())
            .unwrap();
    }
}

pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// A setting of a long run, or what a short one has.
pub(crate) fn setting(variable: &str, short: u64) -> u64 {
    match env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
        Err(_) => short,
    }
}
