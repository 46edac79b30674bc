//! Noticing a connection on which nothing comes back any more.
//!
//! fred looks how long ago it wrote last, and every repeat of a command is another write: as long as there is somebody who
//! repeats, it never takes a half-open connection for dead.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::ClientLike;

/// When something came back, on the connection there is now.
#[derive(Debug)]
pub(super) struct Silence(Mutex<Instant>);

impl Silence {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// Takes note of what a command came to. Where its patience ended and nothing else has come back either since it `began`,
    /// the connection is made again; by the first of those that waited, not by each.
    pub(super) fn heard<T>(&self, client: &Client, began: Instant, result: &Result<T, Error>) {
        let timed_out = matches!(result, Err(error) if *error.kind() == ErrorKind::Timeout);
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_silent = timed_out && *last <= began;
        if !timed_out || is_silent {
            *last = Instant::now();
        }
        drop(last);
        if is_silent {
            tracing::debug!("nothing comes back from Redis, connecting again");
            let client = client.clone();
            tokio::spawn(async move {
                // Where this fails, the next command that waits in vain asks again.
                let _ = client.force_reconnection().await;
            });
        }
    }
}
