//! A port on which machines ask how the worker is: `/metrics`, `/livez`, `/readyz`.
//!
//! One request a connection, of bounded size and time, and so many connections at once: whoever asks can do no harm to the jobs.

mod http;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::engine::Handle;
use crate::{Error, Result};
use http::{Asked, Response};

/// How many are answered at once. More wait.
const MOST_CONNECTIONS: usize = 64;

/// How long one may take for all of its request and its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it rests where no connection can be taken, as when there are no file descriptors.
const REST: Duration = Duration::from_millis(100);

/// How much is read of what somebody goes on sending who was answered.
const MOST_DRAINED: u64 = 64 * 1024;

/// The port.
#[derive(Debug)]
pub(super) struct Health(TcpListener);

impl Health {
    /// # Errors
    /// Nobody can listen there.
    pub(super) async fn bind(address: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Error::config(format!(
                "health is {address}: that cannot be listened on ({error}); give another port or address"
            ))
        })?;
        let address = listener.local_addr().unwrap_or(address);
        tracing::info!(%address, "metrics and probes are on http://{address}/metrics, /livez and /readyz");
        Ok(Self(listener))
    }

    /// Answers until it is aborted.
    pub(super) fn serve(self, handle: Handle) -> AbortHandle {
        tokio::spawn(serve(self.0, handle)).abort_handle()
    }
}

async fn serve(listener: TcpListener, handle: Handle) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    // Nobody closes it.
    while let Ok(place) = places.clone().acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(REST).await;
            continue;
        };
        let handle = handle.clone();
        tokio::spawn(async move {
            let _place = place;
            let _ = timeout(PATIENCE, answer(stream, &handle)).await;
        });
    }
}

/// Answers one request. One that goes away meanwhile is of no interest.
async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    handle: &Handle,
) -> std::io::Result<()> {
    let (response, with_body) = match http::read(&mut stream).await? {
        Asked::Nothing => return Ok(()),
        Asked::Wrong(response) => (response, true),
        Asked::For { path, with_body } => (respond(&path, handle).await, with_body),
    };
    stream.write_all(&response.bytes(with_body)).await?;
    stream.shutdown().await?;
    // What is closed with bytes unread takes back what was sent.
    let mut rest = (&mut stream).take(MOST_DRAINED);
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    Ok(())
}

async fn respond(path: &str, handle: &Handle) -> Response {
    match path {
        "/metrics" => Response::metrics(handle.metrics_text().await),
        "/livez" if handle.is_alive() => Response::text(200, "alive\n"),
        "/livez" => Response::text(503, "not alive: a part of it hangs\n"),
        "/readyz" => match handle.ready().await {
            Ok(()) => Response::text(200, "ready\n"),
            Err(why) => Response::text(503, format!("not ready: {why}\n")),
        },
        _ => Response::text(404, "there is /metrics, /livez and /readyz\n"),
    }
}

#[cfg(test)]
mod tests;
