//! What jobs report, in a file that survives the process.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::Write;

use rustix::time::{ClockId, clock_gettime};

/// A file that several processes append lines to.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    process: String,
}

impl Log {
    pub(crate) fn open() -> Self {
        let path = env::var("CRASH_LOG").expect("CRASH_LOG names the file for reports");
        let file = OpenOptions::new().append(true).create(true).open(path);
        Self {
            file: file.expect("the file for reports can be opened"),
            process: env::var("CRASH_ID").expect("CRASH_ID is this process's number"),
        }
    }

    /// Appends a line, in one write: time in microseconds, process, what.
    pub(crate) fn write(&self, what: &str) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
        let line = format!("{micros} {} {what}\n", self.process);
        (&self.file)
            .write_all(line.as_bytes())
            .expect("reports can be written");
    }
}
