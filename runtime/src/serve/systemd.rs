//! Telling systemd how this process is: `Type=notify`, its watchdog, reloads and the status text.

use std::env;
#[cfg(unix)]
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::engine::{CapsuleHandle, Handle};

/// How often the status text is written at least.
const STATUS_EVERY: Duration = Duration::from_secs(5);

/// The socket of the service manager. Without one, nothing is told.
#[derive(Debug, Default)]
pub(super) struct Systemd {
    #[cfg(unix)]
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How long it may be silent before it is killed.
    watchdog: Option<Duration>,
    /// Whether it was told that the server is ready.
    ready: AtomicBool,
}

impl Systemd {
    /// The service manager that started this process.
    pub(super) fn of_process() -> Self {
        Self::named(|name| env::var(name).ok())
    }

    /// The one that these variables name.
    fn named(get: impl Fn(&str) -> Option<String>) -> Self {
        let ours = std::process::id().to_string();
        let meant = get("WATCHDOG_PID").is_none_or(|pid| pid == ours);
        let micros = get("WATCHDOG_USEC").and_then(|micros| micros.parse().ok());
        let micros = micros.filter(|micros| *micros > 0);
        Self {
            #[cfg(unix)]
            socket: get("NOTIFY_SOCKET").as_deref().and_then(connect),
            watchdog: micros.filter(|_| meant).map(Duration::from_micros),
            ready: AtomicBool::new(false),
        }
    }

    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=waiting for running jobs");
    }

    /// Runs what reloads, between the words for it; the last of them would say of a server that starts that it has started.
    pub(super) fn reloading(&self, reload: impl FnOnce()) {
        if !self.ready.load(Ordering::Relaxed) {
            return reload();
        }
        self.tell(&format!(
            "RELOADING=1\nMONOTONIC_USEC={}",
            monotonic_micros()
        ));
        reload();
        self.tell("READY=1");
    }

    /// Says when the server is ready, and from then on how it does, until it is aborted. The watchdog is fed only while every duty is
    /// alive.
    pub(super) fn watch(self: &std::sync::Arc<Self>, handle: Handle) -> AbortHandle {
        let systemd = self.clone();
        let watch = async move {
            handle.started().await;
            systemd.is_ready();
            let every = systemd.watchdog.map_or(STATUS_EVERY, |longest| longest / 2);
            let every = every.clamp(Duration::from_millis(10), STATUS_EVERY);
            let mut ticks = interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                systemd.beat(&handle);
            }
        };
        tokio::spawn(watch).abort_handle()
    }

    fn is_ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
        self.tell("READY=1");
    }

    fn beat(&self, handle: &Handle) {
        let capsules = handle.capsules();
        let busy: usize = capsules.iter().map(CapsuleHandle::busy).sum();
        let slots: usize = capsules.iter().map(CapsuleHandle::concurrency).sum();
        let quiet = if handle.is_quiet() { ", quiet" } else { "" };
        let mut words = format!("STATUS={busy} of {slots} slots are busy{quiet}");
        if handle.is_alive() {
            words.push_str("\nWATCHDOG=1");
        }
        self.tell(&words);
    }

    /// Says it and goes on: a service manager that does not listen holds nobody up.
    #[cfg(unix)]
    fn tell(&self, words: &str) {
        if let Some((socket, address)) = &self.socket {
            let _ = socket.send_to_addr(words.as_bytes(), address);
        }
    }

    #[cfg(not(unix))]
    fn tell(&self, _: &str) {}
}

/// A socket is a path, or, behind an `@`, a name of Linux's own.
#[cfg(unix)]
fn connect(name: &str) -> Option<(UnixDatagram, SocketAddr)> {
    let address = match name.strip_prefix('@') {
        Some(name) => abstract_address(name)?,
        None => SocketAddr::from_pathname(name).ok()?,
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    Some((socket, address))
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &str) -> Option<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;

    SocketAddr::from_abstract_name(name).ok()
}

#[cfg(all(unix, not(target_os = "linux")))]
fn abstract_address(_: &str) -> Option<SocketAddr> {
    None
}

#[cfg(unix)]
fn monotonic_micros() -> i128 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000
}

#[cfg(not(unix))]
fn monotonic_micros() -> i128 {
    0
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn listening() -> (tempfile::TempDir, UnixDatagram, Systemd) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let name = path.to_str().unwrap().to_owned();
        let systemd = Systemd::named(|variable| match variable {
            "NOTIFY_SOCKET" => Some(name.clone()),
            "WATCHDOG_USEC" => Some("10000000".into()),
            _ => None,
        });
        (folder, listener, systemd)
    }

    fn heard(listener: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let length = listener.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn a_reload_is_told_with_its_time_and_its_end() {
        let (_folder, listener, systemd) = listening();
        assert_eq!(systemd.watchdog, Some(Duration::from_secs(10)));
        // A reload while it starts does not say that it has started.
        systemd.reloading(|| {});
        systemd.is_ready();
        assert_eq!(heard(&listener), "READY=1");
        systemd.reloading(|| {});
        assert!(heard(&listener).starts_with("RELOADING=1\nMONOTONIC_USEC="));
        assert_eq!(heard(&listener), "READY=1");
        systemd.stopping();
        assert!(heard(&listener).starts_with("STOPPING=1\n"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_of_linuxs_own_is_reached() {
        let name = format!("sancho-{}", std::process::id());
        let listener = UnixDatagram::bind_addr(&abstract_address(&name).unwrap()).unwrap();
        let systemd =
            Systemd::named(|variable| (variable == "NOTIFY_SOCKET").then(|| format!("@{name}")));
        systemd.stopping();
        assert!(heard(&listener).starts_with("STOPPING=1"));
    }

    #[test]
    fn without_a_socket_and_for_another_process_nothing_is_told() {
        let nobody = Systemd::named(|_| None);
        nobody.stopping();
        assert!(nobody.socket.is_none() && nobody.watchdog.is_none());
        let other = Systemd::named(|variable| match variable {
            "WATCHDOG_PID" => Some("1".into()),
            "WATCHDOG_USEC" => Some("1000000".into()),
            _ => None,
        });
        assert!(other.watchdog.is_none());
        let gone = Systemd::named(|_| Some("/nonexistent/socket".into()));
        gone.stopping();
    }
}
