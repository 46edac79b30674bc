//! The signals that a worker obeys.

#[cfg(unix)]
pub(super) use unix::Signals;

#[cfg(not(unix))]
pub(super) use other::Signals;

#[cfg(unix)]
mod unix {
    use rustix::process::Signal as Number;
    use tokio::signal::unix::{Signal, SignalKind, signal};
    use tokio::task::AbortHandle;

    use crate::engine::Handle;
    use crate::{Error, Result};

    /// Signals that are caught. From when they are, none of them ends the process by itself.
    pub(in crate::serve) struct Signals {
        terminate: Signal,
        interrupt: Signal,
        quiet: Signal,
        dump: Signal,
        reload: Signal,
    }

    impl Signals {
        /// # Errors
        /// The system does not let them be caught.
        pub(in crate::serve) fn catch() -> Result<Self> {
            let catch = |number: Number| {
                signal(SignalKind::from_raw(number.as_raw()))
                    .map_err(|error| Error::config(format!("signals cannot be caught: {error}")))
            };
            Ok(Self {
                terminate: catch(Number::TERM)?,
                interrupt: catch(Number::INT)?,
                quiet: catch(Number::TSTP)?,
                dump: catch(Number::TTIN)?,
                reload: catch(Number::HUP)?,
            })
        }

        /// Obeys them, until this is aborted: TERM and INT stop, an INT while it stops already hands back what runs at once, TSTP
        /// is quiet, TTIN logs what runs, as in Sidekiq; HUP reads the config file and the schedule file anew.
        pub(in crate::serve) fn obey(
            mut self,
            handle: Handle,
            reload: impl Fn() + Send + 'static,
        ) -> AbortHandle {
            let obey = async move {
                let mut stopping = false;
                loop {
                    tokio::select! {
                        Some(()) = self.terminate.recv() => {
                            tracing::info!("received SIGTERM");
                            stopping = true;
                            handle.stop();
                        }
                        Some(()) = self.interrupt.recv() => {
                            if stopping {
                                tracing::info!("received SIGINT while stopping: running jobs are handed back now");
                                handle.stop_now();
                            } else {
                                tracing::info!("received SIGINT");
                                stopping = true;
                                handle.stop();
                            }
                        }
                        Some(()) = self.quiet.recv() => handle.quiet(),
                        Some(()) = self.dump.recv() => handle.dump(),
                        Some(()) = self.reload.recv() => reload(),
                        else => return,
                    }
                }
            };
            tokio::spawn(obey).abort_handle()
        }
    }
}

#[cfg(not(unix))]
mod other {
    use tokio::task::AbortHandle;

    use crate::Result;
    use crate::engine::Handle;

    /// Ctrl-C: there are no other signals here.
    pub(in crate::serve) struct Signals;

    impl Signals {
        /// # Errors
        /// None.
        pub(in crate::serve) fn catch() -> Result<Self> {
            Ok(Self)
        }

        /// Obeys Ctrl-C until this is aborted: the first stops, the second hands back what runs at once.
        pub(in crate::serve) fn obey(
            self,
            handle: Handle,
            _: impl Fn() + Send + 'static,
        ) -> AbortHandle {
            let obey = async move {
                if tokio::signal::ctrl_c().await.is_ok() {
                    handle.stop();
                }
                if tokio::signal::ctrl_c().await.is_ok() {
                    handle.stop_now();
                }
            };
            tokio::spawn(obey).abort_handle()
        }
    }
}
