//! The error of configurations and starts.

use std::error::Error as StdError;
use std::fmt;

/// What [`runtime::serve`](crate::runtime::serve), [`init`](crate::init) and the like return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A start that failed: its message says what is wrong and what to do. Its text is for people; programs ask the `is_*`
/// functions.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Config,
    Store,
    Jobs,
    Broken,
}

impl Error {
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new(Kind::Config, message, None)
    }

    pub(crate) fn store(
        message: impl Into<String>,
        source: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Self::new(Kind::Store, message, Some(Box::new(source)))
    }

    pub(crate) fn jobs(source: impl StdError + Send + Sync + 'static) -> Self {
        Self::new(Kind::Jobs, source.to_string(), Some(Box::new(source)))
    }

    pub(crate) fn broken() -> Self {
        let message = "a part of the server broke down, which is a defect of sancho: see the log, and start it again";
        Self::new(Kind::Broken, message, None)
    }

    fn new(
        kind: Kind,
        message: impl Into<String>,
        source: Option<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            source,
        }))
    }

    /// Whether a setting is wrong.
    #[must_use]
    pub fn is_config(&self) -> bool {
        self.0.kind == Kind::Config
    }

    /// Whether the store cannot be used.
    #[must_use]
    pub fn is_store(&self) -> bool {
        self.0.kind == Kind::Store
    }

    /// Whether the jobs cannot be served: two of one class, state that is missing, none at all.
    #[must_use]
    pub fn is_jobs(&self) -> bool {
        self.0.kind == Kind::Jobs
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    /// The message: this is what a `main` that returns it prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
