//! Named moments of a worker's life, at which crash tests end its process.

use std::fmt;
use std::sync::Arc;

/// A moment in a duty at which the process may die, and nothing may be lost. None of them is passed once per job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// A claim was answered; none of its jobs has started.
    Claimed,
    /// Jobs have ended, and nothing of that has left the process.
    BeforeCommit,
    /// The store has answered the commit of jobs that ended; the engine has not taken note of it.
    AfterCommit,
    /// Entries were found due, and are to be moved; passed again once they are.
    Promoting,
    /// The claims of an owner whose lease ran out are to be taken; passed again once they are, and once they are settled.
    TakingOver,
    /// A step of the stop: it has begun, unstarted jobs are back, running ones were given up, everything is back.
    Stopping,
    /// The lease is to be renewed; passed again once it is.
    Heartbeat,
    /// Ticks of the cron are to be made; passed again once they are.
    Ticking,
    /// A checkpoint is to be kept; passed again once the store has answered.
    Checkpoint,
}

/// What is called at each point: nothing, but in crash tests.
#[derive(Clone, Default)]
pub(super) struct Points(pub(super) Option<Arc<dyn Fn(Point) + Send + Sync>>);

impl Points {
    pub(super) fn reach(&self, point: Point) {
        if let Some(hook) = &self.0 {
            hook(point);
        }
    }
}

impl fmt::Debug for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Points({})", self.0.is_some())
    }
}
