//! What we log, for tests to look into.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

/// The log of all tests of this binary.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps the log from now on.
pub(crate) fn begin() {
    // Another test may have begun it.
    let _ = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(|| Log)
        .try_init();
}

/// Whether a line of the log contains all of this.
pub(crate) fn tells(parts: &[&str]) -> bool {
    let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&log)
        .lines()
        .any(|line| parts.iter().all(|part| line.contains(part)))
}
