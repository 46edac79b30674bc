//! The signals that stop a worker.

use std::future::Future;

use crate::{Error, Result};

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
