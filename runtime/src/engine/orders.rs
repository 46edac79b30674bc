//! What a running server can be told.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Tells a running [`Server`](super::Server) what to do. Cheap to clone.
///
/// The same orders reach it from other processes, through the store: from [`api`](crate::api) and from Sidekiq's own Web UI.
#[derive(Clone, Debug, Default)]
pub struct Handle(Arc<Orders>);

#[derive(Debug, Default)]
struct Orders {
    quiet: CancellationToken,
    stop: CancellationToken,
    dump: Notify,
}

impl Handle {
    /// Claims nothing more, and goes on with what runs; there is no way back. As Sidekiq's TSTP.
    pub fn quiet(&self) {
        if !self.is_quiet() {
            tracing::info!("quiet: nothing more is claimed");
            self.0.quiet.cancel();
        }
    }

    /// Begins to stop, as if the future given to [`Server::run_until`](super::Server::run_until) had completed. As Sidekiq's
    /// TERM.
    pub fn stop(&self) {
        self.0.stop.cancel();
    }

    /// Logs what every slot is doing, and since when. As Sidekiq's TTIN.
    pub fn dump(&self) {
        self.0.dump.notify_one();
    }

    /// Whether it claims nothing more: it was told to be quiet, or it stops.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.0.quiet.is_cancelled()
    }

    pub(super) fn begin_quiet(&self) {
        self.0.quiet.cancel();
    }

    pub(super) fn quieted(&self) -> &CancellationToken {
        &self.0.quiet
    }

    pub(super) async fn stopped(&self) {
        self.0.stop.cancelled().await;
    }

    pub(super) async fn dump_asked(&self) {
        self.0.dump.notified().await;
    }
}
