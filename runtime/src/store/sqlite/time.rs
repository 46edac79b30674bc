//! The clocks: the wall's for what users see, the boot's for leases, so that no jump of the wall clock ends a lease.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::job::Timestamp;
use crate::store::TestClock;

#[derive(Clone)]
pub(super) struct Time {
    test: Option<TestClock>,
    boot: Arc<str>,
}

/// A moment of the clock that leases go by.
#[derive(Clone, Debug)]
pub(super) struct LeaseTime {
    /// Which boot's clock it is; deadlines of another boot's have passed.
    pub(super) boot: Arc<str>,
    pub(super) micros: i64,
}

impl Time {
    pub(super) fn new(test: Option<TestClock>) -> Self {
        let boot = if test.is_some() {
            Some("test".into())
        } else {
            boot_id()
        };
        // Without a boot clock, leases go by the wall's.
        Self {
            test,
            boot: boot.unwrap_or_else(|| "wall".into()),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.test
            .as_ref()
            .map_or_else(Timestamp::from_wall_clock, |clock| clock())
    }

    pub(super) fn lease(&self) -> LeaseTime {
        let micros = match &*self.boot {
            "test" | "wall" => self.now().as_micros(),
            _ => since_boot(),
        };
        LeaseTime {
            boot: self.boot.clone(),
            micros,
        }
    }
}

impl LeaseTime {
    pub(super) fn after(&self, lease: Duration) -> i64 {
        self.micros
            .saturating_add(i64::try_from(lease.as_micros()).unwrap_or(i64::MAX))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Time({})", self.now())
    }
}

#[cfg(target_os = "linux")]
fn boot_id() -> Option<Arc<str>> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().into())
}

#[cfg(target_os = "linux")]
fn since_boot() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}

#[cfg(not(target_os = "linux"))]
fn boot_id() -> Option<Arc<str>> {
    None
}

#[cfg(not(target_os = "linux"))]
fn since_boot() -> i64 {
    Timestamp::from_wall_clock().as_micros()
}
