//! CPU and round trips.

use std::time::Duration;

use rustix::process::{self, Pid};
use rustix::time::{ClockId, clock_gettime};

use super::Result;
use super::redis::Redis;

/// What has been used up to a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// CPU of this process.
    pub(crate) own: Duration,
    /// CPU of Redis.
    pub(crate) redis: Duration,
    /// Commands that Redis was sent.
    pub(crate) trips: u64,
    has_redis: bool,
}

impl Usage {
    pub(crate) fn read(redis: Option<&Redis>) -> Result<Self> {
        let own = clock_gettime(ClockId::ProcessCPUTime);
        let own = Duration::new(own.tv_sec.try_into()?, own.tv_nsec.try_into()?);
        let (redis_cpu, trips) = redis.map_or(Ok((Duration::ZERO, 0)), Redis::usage)?;
        Ok(Self {
            own,
            redis: redis_cpu,
            trips,
            has_redis: redis.is_some(),
        })
    }

    pub(crate) fn since(self, before: &Self) -> Self {
        // Reading it is a command as well.
        let trips = (self.trips - before.trips).saturating_sub(u64::from(self.has_redis));
        Self {
            own: self.own - before.own,
            redis: self.redis.saturating_sub(before.redis),
            trips,
            ..self
        }
    }

    pub(crate) fn total(&self) -> Duration {
        self.own + self.redis
    }

    pub(crate) fn per_job(&self, jobs: u64) -> String {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / jobs as f64;
        if self.has_redis {
            format!(
                "worker {:.1}, Redis {:.1}",
                each(self.own),
                each(self.redis)
            )
        } else {
            "all in this process".into()
        }
    }

    pub(crate) fn trips_per_job(&self, jobs: u64) -> String {
        if self.has_redis {
            format!("{:.3}", self.trips as f64 / jobs as f64)
        } else {
            "no".into()
        }
    }
}

/// A clock that all processes of this machine share.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// Ends a process of ours.
pub(crate) fn terminate(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = process::kill_process(pid, process::Signal::TERM);
    }
}
