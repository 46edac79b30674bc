//! What can be wrong.

use std::fmt;
use std::time::Duration;

use super::Spot;
use crate::store::{Defect, DefectKind, Owner, TimedSet};

/// Something in a store that is not as it should be. Its text says what, where, and what mending does, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// A job stands in two places, or twice in one queue: it would run twice.
    Twice {
        /// Its id.
        jid: String,
        /// Where mending leaves it.
        kept: Spot,
        /// Where mending takes it away.
        surplus: Spot,
        /// Whether class or arguments differ: then these are two jobs that somebody gave one id, and both are left alone.
        differ: bool,
    },
    /// An owner ran out longer ago than [`RECOVERY`](super::RECOVERY), and nobody took over what it holds.
    Abandoned {
        /// The owner.
        owner: Owner,
        /// How many jobs it holds.
        held: u64,
        /// How long ago it ran out.
        overdue: Duration,
        /// Whether there is a process that should have taken them over; where there is none, it is a note.
        has_rescuer: bool,
    },
    /// An entry of a timed set that is no job.
    NoJob {
        /// The set.
        set: TimedSet,
        /// Where it stands, and its bytes.
        spot: Spot,
        /// Why it is none.
        reason: String,
    },
    /// A process is listed that tells nothing of itself: it died. A note, since others clear it away within two minutes.
    GoneProcess {
        /// Its identity.
        identity: String,
    },
    /// A queue is paused that nobody has pushed to: a note.
    PausedWithoutQueue {
        /// Its name.
        queue: String,
    },
    /// Something that the store itself found.
    Store(Defect),
}

impl Violation {
    /// A short name of its kind, which stays.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Twice { .. } => "job-twice",
            Self::Abandoned { .. } => "abandoned-claims",
            Self::NoJob { .. } => "no-job",
            Self::GoneProcess { .. } => "gone-process",
            Self::PausedWithoutQueue { .. } => "paused-without-queue",
            Self::Store(defect) => defect.kind.name(),
        }
    }

    /// Whether it harms nobody: it may be wanted, or goes away by itself.
    #[must_use]
    pub fn is_note(&self) -> bool {
        match self {
            Self::Twice { differ, .. } => *differ,
            Self::Abandoned { has_rescuer, .. } => !has_rescuer,
            Self::NoJob { .. } => false,
            Self::GoneProcess { .. } | Self::PausedWithoutQueue { .. } => true,
            Self::Store(defect) => defect.kind == DefectKind::LastingReceipt,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Store(defect) = self {
            return write!(f, "{defect}");
        }
        write!(f, "{}: ", self.name())?;
        match self {
            Self::Store(_) => Ok(()),
            Self::Twice {
                jid,
                kept,
                surplus,
                differ: false,
            } => write!(
                f,
                "the job {jid:?} stands in {kept} and in {surplus}; mending takes it out of {surplus}"
            ),
            Self::Twice {
                jid, kept, surplus, ..
            } => write!(
                f,
                "two jobs with the id {jid:?} stand in {kept} and in {surplus}; they differ, so both are left alone"
            ),
            Self::Abandoned {
                owner,
                held,
                overdue,
                has_rescuer,
            } => {
                let owner = owner.as_str();
                write!(
                    f,
                    "the owner {owner:?} ran out {overdue:.0?} ago and holds {held} jobs"
                )?;
                f.write_str(if *has_rescuer {
                    ", though a process lives that should have taken them over"
                } else {
                    ", and no process runs: the next one that starts takes them over"
                })?;
                f.write_str("; mending puts them back at the head of their queues")
            }
            Self::NoJob { spot, reason, .. } => write!(
                f,
                "an entry of {} bytes in {spot} is no job: {}; mending moves it to the dead set",
                spot.payload().len(),
                reason.escape_debug()
            ),
            Self::GoneProcess { identity } => write!(
                f,
                "the process {identity:?} is listed and tells nothing of itself; mending takes it off the list"
            ),
            Self::PausedWithoutQueue { queue } => write!(
                f,
                "the queue {queue:?} is paused and was never pushed to; mending leaves it paused"
            ),
        }
    }
}
