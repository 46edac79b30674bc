//! What a running server can be told, and asked.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::capsule::{self, CapsuleHandle, CapsuleState};
use super::cron::Plan;
use super::insist::Away;
use super::observe::Observed;
use super::pulse::Pulse;
use crate::Result;

/// Tells a running [`Server`](super::Server) what to do. Cheap to clone.
///
/// The same orders reach it from other processes, through the store: from [`api`](crate::api) and from Sidekiq's own Web UI.
#[derive(Clone, Debug)]
pub struct Handle(Arc<Orders>);

#[derive(Debug)]
struct Orders {
    quiet: CancellationToken,
    stop: CancellationToken,
    hurry: CancellationToken,
    dump: Notify,
    started: CancellationToken,
    capsules: Vec<Arc<CapsuleState>>,
    plan: Plan,
    away: Arc<Away>,
    observed: Observed,
    /// One a duty, from its start on.
    pulses: Mutex<Vec<Pulse>>,
}

impl Handle {
    /// For a server of these capsules, the first of which is the default one, and with this cron.
    pub(super) fn new(capsules: Vec<CapsuleState>, plan: Plan) -> Self {
        Self(Arc::new(Orders {
            quiet: CancellationToken::new(),
            stop: CancellationToken::new(),
            hurry: CancellationToken::new(),
            dump: Notify::new(),
            started: CancellationToken::new(),
            capsules: capsules.into_iter().map(Arc::new).collect(),
            plan,
            away: Arc::new(Away::default()),
            observed: Observed::new(),
            pulses: Mutex::default(),
        }))
    }

    /// Of a server that does not run.
    #[cfg(test)]
    pub(crate) fn of_no_server() -> Self {
        let capsule = CapsuleState::new(capsule::Capsule::named(capsule::DEFAULT), 10);
        Self::new(vec![capsule.unwrap()], Plan::default())
    }

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

    /// Stops without waiting for running jobs: they are handed back now.
    pub fn stop_now(&self) {
        self.0.hurry.cancel();
        self.0.stop.cancel();
    }

    /// Logs what every slot is doing, and since when. As Sidekiq's TTIN.
    pub fn dump(&self) {
        self.0.dump.notify_one();
    }

    /// Reads the [schedule file](super::ServerBuilder::schedule_file) anew, as SIGHUP does in a program that is
    /// [served](crate::runtime::serve), and says where it is, if there is one: what was added to it, changed or removed holds from now on, as
    /// at a start. A quiet server takes no notice.
    ///
    /// # Errors
    /// A file that cannot be read, or has mistakes: all of them, with file, entry and field. Nothing is changed then.
    pub fn read_schedule(&self) -> Result<Option<PathBuf>> {
        self.0.plan.read_file()
    }

    /// Whether it claims nothing more: it was told to be quiet, or it stops.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.0.quiet.is_cancelled()
    }

    /// Whether every duty of the server has come round within the last 20 s (renewing the lease: within its length), or waits for a store that is away. `false` means that
    /// something holds it up that only a new process helps against.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let pulses = self.0.pulses.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.away.is_away() || pulses.iter().all(Pulse::is_alive)
    }

    /// Returns once the server has registered with its store and claims jobs.
    ///
    /// # Cancel safety
    /// It can be dropped and asked again.
    pub async fn started(&self) {
        self.0.started.cancelled().await;
    }

    /// The capsule that every server has: the one of its own queues and concurrency.
    #[must_use]
    pub fn default_capsule(&self) -> CapsuleHandle {
        self.capsule(capsule::DEFAULT)
            .unwrap_or_else(|| CapsuleHandle(self.0.capsules[0].clone()))
    }

    /// The capsule of this name.
    #[must_use]
    pub fn capsule(&self, name: &str) -> Option<CapsuleHandle> {
        let found = self.0.capsules.iter().find(|known| known.name() == name);
        found.cloned().map(CapsuleHandle)
    }

    /// All capsules, the default one first.
    #[must_use]
    pub fn capsules(&self) -> Vec<CapsuleHandle> {
        self.0.capsules.iter().cloned().map(CapsuleHandle).collect()
    }

    pub(super) fn states(&self) -> &[Arc<CapsuleState>] {
        &self.0.capsules
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.0.plan
    }

    pub(super) fn away(&self) -> &Arc<Away> {
        &self.0.away
    }

    pub(super) fn observed(&self) -> &Observed {
        &self.0.observed
    }

    /// A pulse for one more duty, which comes round after `every` at the latest.
    pub(super) fn pulse(&self, every: Duration) -> Pulse {
        let pulse = Pulse::new(every);
        let mut pulses = self.0.pulses.lock().unwrap_or_else(PoisonError::into_inner);
        pulses.push(pulse.clone());
        pulse
    }

    pub(super) fn has_started(&self) {
        self.0.started.cancel();
    }

    pub(super) fn has_begun(&self) -> bool {
        self.0.started.is_cancelled()
    }

    pub(super) fn begin_quiet(&self) {
        self.0.quiet.cancel();
    }

    pub(super) fn quieted(&self) -> &CancellationToken {
        &self.0.quiet
    }

    pub(super) fn hurried(&self) -> &CancellationToken {
        &self.0.hurry
    }

    pub(super) async fn stopped(&self) {
        self.0.stop.cancelled().await;
    }

    pub(super) async fn dump_asked(&self) {
        self.0.dump.notified().await;
    }
}
