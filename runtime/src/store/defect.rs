//! What can be wrong with the way in which a store keeps its things.
//!
//! The contract makes none of this possible: it is the work of other programs, of people, of a disk that fails, or of a defect
//! of ours.

use std::fmt;

use bytes::Bytes;

/// How many defects one [`Inspect::check`](super::Inspect::check) names.
pub const MAX_DEFECTS: usize = 1_000;

/// Something that is wrong in a store, named by [`Inspect::check`](super::Inspect::check).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    /// What is wrong.
    pub kind: DefectKind,
    /// With what, as the store calls it: a queue, a key, a row.
    pub subject: Bytes,
    /// With which part of it, where there are parts.
    pub part: Bytes,
    /// What was found.
    pub found: String,
}

/// The kinds of defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DefectKind {
    /// A queue holds jobs, but is not in the set of queues: who lists the queues passes it over.
    UnlistedQueue,
    /// Something is of another type than it must be, so nobody can read or write it.
    WrongType,
    /// An owner is registered whose claims are not kept: it can claim nothing, and what it held is gone.
    LostOwner,
    /// Claims belong to an owner that is not registered: nobody would ever take them over.
    LostClaims,
    /// A claim cannot be read: whoever takes it over fails.
    UnreadableClaim,
    /// The results of a batch are kept for ever.
    LastingReceipt,
    /// Payloads belong to no queue and no set: nobody would ever find them.
    LostPayloads,
    /// The file itself is damaged.
    Corrupt,
}

impl DefectKind {
    /// A short name, which stays.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnlistedQueue => "unlisted-queue",
            Self::WrongType => "wrong-type",
            Self::LostOwner => "lost-owner",
            Self::LostClaims => "lost-claims",
            Self::UnreadableClaim => "unreadable-claim",
            Self::LastingReceipt => "lasting-receipt",
            Self::LostPayloads => "lost-payloads",
            Self::Corrupt => "corrupt",
        }
    }

    /// What [`Store::repair`](super::Store::repair) does about it; `None` where it can do nothing.
    #[must_use]
    pub const fn mending(self) -> Option<&'static str> {
        Some(match self {
            Self::UnlistedQueue => "adds it to the set of queues",
            Self::WrongType => "keeps it aside where it harms nobody, or gives it its type",
            Self::LostOwner => "ends the registration; a process that lives goes on as a new owner",
            Self::LostClaims => {
                "registers the owner for one lease; one that is dead is taken over after that"
            }
            Self::UnreadableClaim => "moves it to the dead set as it is",
            Self::LastingReceipt => "lets it run out in a minute",
            Self::LostPayloads => "puts them into the queue that they name, or into the dead set",
            Self::Corrupt => return None,
        })
    }
}

impl Defect {
    pub(super) fn new(
        kind: DefectKind,
        subject: impl Into<Bytes>,
        found: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            subject: subject.into(),
            part: Bytes::new(),
            found: found.into(),
        }
    }
}

/// In one line, whatever the names in it contain.
impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = String::from_utf8_lossy(&self.subject);
        write!(f, "{}: {subject:?}", self.kind.name())?;
        if !self.part.is_empty() {
            write!(f, ", {:?}", String::from_utf8_lossy(&self.part))?;
        }
        write!(f, ": {}; ", self.found.escape_debug())?;
        match self.kind.mending() {
            Some(mending) => write!(f, "mending {mending}"),
            None => f.write_str("it cannot be mended here"),
        }
    }
}
