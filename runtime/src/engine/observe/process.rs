//! What the operating system says of this process, under the names that Prometheus's clients use.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::text::Text;

/// Adds it, as far as there is a `/proc`.
pub(super) fn describe(out: &mut Text, since_start: Duration) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let start = now.unwrap_or_default().saturating_sub(since_start);
    out.gauge(
        "process_start_time_seconds",
        "when the server was made, since the Unix epoch",
    )
    .value(&[], start.as_secs_f64());
    let mut cpu = out.counter(
        "process_cpu_seconds_total",
        "the processor time of this process, user and system",
    );
    if let Some(time) = cpu_time() {
        cpu.value(&[], time.as_secs_f64());
    }
    let mut memory = out.gauge(
        "process_resident_memory_bytes",
        "the memory of this process that is resident",
    );
    if let Some(bytes) = resident_memory() {
        memory.value(&[], bytes);
    }
    let mut files = out.gauge(
        "process_open_fds",
        "the open file descriptors of this process",
    );
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        // The folder itself is open while it is read.
        files.value(&[], entries.count().saturating_sub(1));
    }
}

/// The main thread's times stand in `stat` together with those of all others.
fn cpu_time() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program may have anything in it, up to the last parenthesis.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    let ticks = rustix::param::clock_ticks_per_second();
    Some(Duration::from_millis((user + system) * 1_000 / ticks))
}

fn resident_memory() -> Option<usize> {
    let pages = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = pages.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size())
}
