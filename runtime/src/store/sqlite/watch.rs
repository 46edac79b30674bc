//! Noticing that another process has written.

use std::path::Path;

use super::writer::Peek;

/// A thread that looks after the write-ahead log. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    #[cfg(target_os = "linux")]
    stop: Option<std::sync::Arc<rustix::fd::OwnedFd>>,
    #[cfg(not(target_os = "linux"))]
    _stop: std::sync::mpsc::Sender<()>,
}

#[cfg(target_os = "linux")]
impl Watch {
    /// Watches the folder, where the log comes and goes. Where that fails, wake-ups come from the engine's slow polls.
    pub(super) fn start(path: &Path, peek: Peek) -> Self {
        use std::sync::Arc;

        use rustix::event::{EventfdFlags, eventfd};

        let stop = eventfd(0, EventfdFlags::CLOEXEC).ok().map(Arc::new);
        if let Some(stop) = &stop {
            let (stop, path) = (stop.clone(), path.to_owned());
            std::thread::spawn(move || {
                if let Err(error) = linux::watch(&path, &stop, &peek) {
                    tracing::warn!(%error, "the folder of {} cannot be watched: pushes of other processes are seen late", path.display());
                }
            });
        }
        Self { stop }
    }
}

#[cfg(target_os = "linux")]
impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(stop) = &self.stop {
            let _ = rustix::io::write(stop, &1_u64.to_ne_bytes());
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::mem::MaybeUninit;
    use std::path::Path;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fd::OwnedFd;
    use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
    use rustix::io::Errno;

    use super::Peek;

    /// The log is written before its change can be seen, and there is no signal for the latter: it is looked at again this much
    /// later.
    const LOOKS: [Timespec; 3] = [millis(1), millis(5), millis(20)];

    const fn millis(millis: i64) -> Timespec {
        Timespec {
            tv_sec: 0,
            tv_nsec: millis * 1_000_000,
        }
    }

    pub(super) fn watch(path: &Path, stop: &OwnedFd, peek: &Peek) -> rustix::io::Result<()> {
        let mut log = path.file_name().unwrap_or_default().to_owned();
        log.push("-wal");
        let folder = path.parent().unwrap_or(Path::new("."));
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        inotify::add_watch(&events, folder, WatchFlags::MODIFY | WatchFlags::CREATE)?;
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&events, &mut buffer);
        // What was written before the watch began is found by these.
        let mut more_looks = &LOOKS[..];
        loop {
            let mut ready = [
                PollFd::new(&events, PollFlags::IN),
                PollFd::new(stop, PollFlags::IN),
            ];
            match poll(&mut ready, more_looks.first()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
            if !ready[1].revents().is_empty() {
                return Ok(());
            }
            let mut seen = more_looks.split_off_first().is_some() && ready[0].revents().is_empty();
            let mut written = false;
            loop {
                match reader.next() {
                    Ok(event) => {
                        // An overflow has no name: anything may have happened.
                        let name = event.file_name().map(|name| name.to_bytes());
                        written |= name.is_none_or(|name| name == log.as_encoded_bytes());
                    }
                    Err(Errno::AGAIN | Errno::INTR) => break,
                    Err(error) => return Err(error),
                }
            }
            if written {
                more_looks = &LOOKS[..];
            }
            seen |= written;
            if seen && !peek.ask() {
                return Ok(());
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Watch {
    /// Looks every 20 ms.
    pub(super) fn start(_: &Path, peek: Peek) -> Self {
        use std::sync::mpsc::{RecvTimeoutError, channel};

        const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(20);
        let (stop, stopped) = channel();
        std::thread::spawn(move || {
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) && peek.ask() {
            }
        });
        Self { _stop: stop }
    }
}
