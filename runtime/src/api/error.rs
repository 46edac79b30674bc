//! What can go wrong with a look or an action.

use std::error::Error as StdError;

use crate::store::Unavailable;

/// A look or an action that failed. Its text is for people.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// What was asked for makes no sense. Nothing was done.
    #[error("{0}")]
    Invalid(String),
    /// What was named is not there. Nothing was done.
    #[error("{0}")]
    NotFound(String),
    /// The store gave no answer. Nothing was done.
    #[error("{reason}; nothing was done: try again when the store is back")]
    #[non_exhaustive]
    Unavailable {
        /// What the store is, and what is wrong with it.
        reason: String,
        /// What lies behind it.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The store refused it: out of memory, no permission, a key of another type. Nothing was done.
    #[error("the store refused it, and nothing was done: {reason}")]
    #[non_exhaustive]
    Refused {
        /// What the store said.
        reason: String,
    },
    /// The store's answer was lost.
    #[error("the store's answer was lost, so it may have been done or not: look again")]
    #[non_exhaustive]
    Unknown {
        /// What lies behind it.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
}

impl ApiError {
    pub(super) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid(what.into())
    }

    pub(super) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused {
            reason: reason.into(),
        }
    }

    /// An error of a look.
    pub(super) fn unavailable(error: Unavailable) -> Self {
        Self::Unavailable {
            reason: error.to_string(),
            source: error.into(),
        }
    }
}

/// Refuses a text that is empty.
pub(super) fn not_empty<'a>(what: &str, text: &'a str) -> Result<&'a str, ApiError> {
    if text.is_empty() {
        return Err(ApiError::invalid(format!("{what} is empty")));
    }
    Ok(text)
}
