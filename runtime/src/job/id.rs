//! Job ids.

use std::fmt;

/// The id of a job: 24 hex digits, unless whoever pushed it chose another text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(Box<str>);

impl JobId {
    /// A new random id of 24 hex digits, as Sidekiq makes them (`SecureRandom.hex(12)`).
    #[must_use]
    pub fn random() -> Self {
        Self(random_hex().into())
    }

    /// An id of one's own, for instance one derived from what the job is about. Two jobs of one id are two jobs.
    #[must_use]
    pub fn from_text(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text of the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobId({})", self.0)
    }
}

/// 24 random hex digits.
pub(crate) fn random_hex() -> String {
    format!("{:024x}", fastrand::u128(..) >> 32)
}
