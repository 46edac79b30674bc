//! Renewing the lease.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::Engine;
use super::points::Point;
use super::pulse::Pulse;
use super::recover::Orphan;
use crate::store::{ClaimId, Claimed};

/// A lease lasts three beats, so two may be missed.
const BEATS_PER_LEASE: u32 = 3;

pub(super) struct Heartbeat {
    engine: Arc<Engine>,
    pulse: Pulse,
    orphans: mpsc::Sender<Orphan>,
}

impl Heartbeat {
    pub(super) fn new(engine: Arc<Engine>, orphans: mpsc::Sender<Orphan>) -> Self {
        let pulse = engine.handle.pulse(engine.config.lease / BEATS_PER_LEASE);
        Self {
            engine,
            pulse,
            orphans,
        }
    }

    /// Runs until the process has left, which is later than when it begins to stop: its jobs are still running.
    pub(super) async fn run(self, left: CancellationToken) {
        let beat = self.engine.config.lease / BEATS_PER_LEASE;
        let mut ticks = interval_at(tokio::time::Instant::now() + beat, beat);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let work = async {
            loop {
                ticks.tick().await;
                self.step().await;
            }
        };
        left.run_until_cancelled(work).await;
    }

    async fn step(&self) {
        self.pulse.beat();
        self.engine.points.reach(Point::Heartbeat);
        let beat = self.engine.session.beat().await;
        self.engine.points.reach(Point::Heartbeat);
        self.engine.clock.set(beat.renewed.now);
        if beat.evicted {
            self.engine.evicted();
        }
        let unknown = beat
            .unknown
            .into_iter()
            .map(|(claim, claimed): (ClaimId, Claimed)| Orphan::Claim(claim, claimed));
        for orphan in beat
            .renewed
            .expired
            .into_iter()
            .map(Orphan::Owner)
            .chain(unknown)
        {
            // A full channel means that recovery is busy. An owner is named again by the next beat; a claim has to be
            // unknown again to be.
            if let Err(TrySendError::Full(orphan) | TrySendError::Closed(orphan)) =
                self.orphans.try_send(orphan)
                && let Orphan::Claim(claim, _) = orphan
            {
                self.engine.session.disown([&claim]).await;
            }
        }
    }
}
