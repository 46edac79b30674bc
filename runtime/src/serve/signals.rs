//! The signals that stop a worker.

use std::future::Future;

use tokio::task::AbortHandle;

use crate::engine::Handle;
use crate::{Error, Result};

/// Obeys SIGTSTP (quiet) and SIGTTIN (log what runs), as Sidekiq does, until it is aborted.
#[cfg(unix)]
pub(super) fn obey(handle: Handle) -> Result<AbortHandle> {
    use rustix::process::Signal;
    use tokio::signal::unix::{SignalKind, signal};

    let catch = |signal_number: Signal| {
        signal(SignalKind::from_raw(signal_number.as_raw()))
            .map_err(|error| Error::config(format!("signals cannot be caught: {error}")))
    };
    let (mut quiet, mut dump) = (catch(Signal::TSTP)?, catch(Signal::TTIN)?);
    let obey = async move {
        loop {
            tokio::select! {
                Some(()) = quiet.recv() => handle.quiet(),
                Some(()) = dump.recv() => handle.dump(),
                else => return,
            }
        }
    };
    Ok(tokio::spawn(obey).abort_handle())
}

/// There are no such signals here.
#[cfg(not(unix))]
pub(super) fn obey(_: Handle) -> Result<AbortHandle> {
    Ok(tokio::spawn(async {}).abort_handle())
}

/// Completes at SIGTERM or SIGINT. They are caught from now on, not only once this is awaited.
#[cfg(unix)]
pub(super) fn stop() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let catch = |kind| {
        signal(kind).map_err(|error| Error::config(format!("signals cannot be caught: {error}")))
    };
    let (mut terminate, mut interrupt) = (
        catch(SignalKind::terminate())?,
        catch(SignalKind::interrupt())?,
    );
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!("received {name}");
    })
}

/// Completes at Ctrl-C.
#[cfg(not(unix))]
pub(super) fn stop() -> Result<impl Future<Output = ()>> {
    Ok::<_, Error>(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
