//! Noticing that another process has written.

use std::path::Path;
use std::thread;
use std::time::Duration;

use super::writer::Peek;

/// How often the file is looked at where changes are not told.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A thread that looks after the write-ahead log. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    #[cfg(target_os = "linux")]
    stop: std::sync::Arc<rustix::fd::OwnedFd>,
    #[cfg(not(target_os = "linux"))]
    _stop: std::sync::mpsc::Sender<()>,
}

#[cfg(target_os = "linux")]
impl Watch {
    /// Sleeps until the log is written to. Where that cannot be told (a user has only so many watches), it looks every 20 ms.
    pub(super) fn start(path: &Path, peek: Peek) -> std::io::Result<Self> {
        use std::sync::Arc;

        use rustix::event::{EventfdFlags, eventfd};

        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        // The log stands beside the file itself, whatever links lead to it.
        let path = path.canonicalize()?;
        let thread = {
            let stop = stop.clone();
            move || {
                if let Err(error) = linux::watch(&path, &stop, &peek) {
                    tracing::debug!(%error, "{} cannot be watched, so it is looked at every {LOOK_EVERY:?}", path.display());
                    linux::look(&stop, &peek, LOOK_EVERY);
                }
            }
        };
        thread::Builder::new()
            .name("sancho-sqlite-watch".into())
            .spawn(thread)?;
        Ok(Self { stop })
    }
}

#[cfg(target_os = "linux")]
impl Drop for Watch {
    fn drop(&mut self) {
        // An event counter takes a one unless it is full, and then the thread has been told.
        let _ = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::CStr;
    use std::mem::MaybeUninit;
    use std::path::Path;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fd::OwnedFd;
    use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
    use rustix::io::Errno;

    use super::Peek;

    /// Returns when it is told to stop.
    pub(super) fn watch(path: &Path, stop: &OwnedFd, peek: &Peek) -> rustix::io::Result<()> {
        let mut log = path.to_owned().into_os_string();
        log.push("-wal");
        let log = Path::new(&log);
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        // The folder tells when the log is made again; what else is written in it wakes nobody.
        inotify::add_watch(&events, path.parent().unwrap_or(path), WatchFlags::CREATE)?;
        watch_log(&events, log)?;
        // What was written before is not told.
        if !peek.ask() {
            return Ok(());
        }
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&events, &mut buffer);
        loop {
            let mut ready = [
                PollFd::new(&events, PollFlags::IN),
                PollFd::new(stop, PollFlags::IN),
            ];
            match poll(&mut ready, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
            if !ready[1].revents().is_empty() {
                return Ok(());
            }
            let (mut written, mut made) = (false, false);
            loop {
                match reader.next() {
                    // Events of the log itself have no name, and neither has an overflow, after which anything may have
                    // happened.
                    Ok(event) => match event.file_name().map(CStr::to_bytes) {
                        None => written = true,
                        Some(name) => {
                            made |= log
                                .file_name()
                                .is_some_and(|log| log.as_encoded_bytes() == name);
                        }
                    },
                    Err(Errno::AGAIN | Errno::INTR) => break,
                    Err(error) => return Err(error),
                }
            }
            if made {
                watch_log(&events, log)?;
            }
            // Looked after the log is watched, so that what was written to a new one before is seen.
            if (made || written) && !peek.ask() {
                return Ok(());
            }
        }
    }

    /// Watches the log, unless it is not there just now.
    fn watch_log(events: &OwnedFd, log: &Path) -> rustix::io::Result<()> {
        match inotify::add_watch(events, log, WatchFlags::MODIFY) {
            Ok(_) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Asks again and again, until it is told to stop.
    pub(super) fn look(stop: &OwnedFd, peek: &Peek, every: Duration) {
        let every = Timespec::try_from(every).ok();
        loop {
            let mut ready = [PollFd::new(stop, PollFlags::IN)];
            match poll(&mut ready, every.as_ref()) {
                Ok(0) | Err(Errno::INTR) => {}
                _ => return,
            }
            if !peek.ask() {
                return;
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Watch {
    /// Looks every 20 ms.
    pub(super) fn start(_: &Path, peek: Peek) -> std::io::Result<Self> {
        use std::sync::mpsc::{RecvTimeoutError, channel};

        let (stop, stopped) = channel();
        let thread = move || {
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) && peek.ask() {
            }
        };
        thread::Builder::new()
            .name("sancho-sqlite-watch".into())
            .spawn(thread)?;
        Ok(Self { _stop: stop })
    }
}
