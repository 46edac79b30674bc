//! What stands around the thing that is measured: servers, processes, a slow network, the other systems.

mod machine;
mod process;
mod proxy;
mod redis;
mod resp;
mod system;

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

pub(crate) use machine::Machine;
pub(crate) use process::Process;
pub(crate) use proxy::Proxy;
pub(crate) use redis::{Redis, RedisUsage};
pub(crate) use resp::Resp;
pub(crate) use system::{Installed, Push, System, Work};

/// A folder that goes when this does.
#[derive(Debug)]
pub(crate) struct Folder(std::path::PathBuf);

impl Folder {
    pub(crate) fn new() -> std::io::Result<Self> {
        let name = format!("sancho-bench-{}-{}", std::process::id(), now_ns());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder)?;
        Ok(Self(folder))
    }

    pub(crate) fn file(&self, name: &str) -> std::path::PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A clock that all processes of this machine share.
pub(crate) fn now_ns() -> u64 {
    nanoseconds(ClockId::Monotonic)
}

/// Wall-clock time in nanoseconds.
pub(crate) fn wall_ns() -> u64 {
    nanoseconds(ClockId::Realtime)
}

fn nanoseconds(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// Lets time pass.
#[expect(
    clippy::disallowed_methods,
    reason = "a measurement is made over a stretch of time"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Waits until a moment of [`now_ns`].
pub(crate) fn pause_until(moment: u64) {
    pause(Duration::from_nanos(moment.saturating_sub(now_ns())));
}
