//! What ends a command, and its exit code.

use std::fmt;
use std::process::ExitCode;

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(crate) struct Error {
    text: String,
    code: u8,
}

/// Something went wrong, or was not found.
const FAILED: u8 = 1;

/// What was asked for makes no sense; nothing was done. Also what clap gives.
const USAGE: u8 = 2;

impl Error {
    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            code: FAILED,
        }
    }

    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            code: USAGE,
        }
    }

    pub(crate) fn code(&self) -> ExitCode {
        self.code.into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<sancho::Error> for Error {
    fn from(error: sancho::Error) -> Self {
        // Before anything was begun: a URL that is wrong, or a store that cannot be reached.
        Self::usage(error.to_string())
    }
}

impl From<sancho::api::ApiError> for Error {
    fn from(error: sancho::api::ApiError) -> Self {
        use sancho::api::ApiError;

        match error {
            ApiError::Invalid(what) => Self::usage(what),
            error => Self::failed(error.to_string()),
        }
    }
}

impl From<sancho::PushError> for Error {
    fn from(error: sancho::PushError) -> Self {
        match error {
            sancho::PushError::Invalid { .. } => Self::usage(error.to_string()),
            error => Self::failed(error.to_string()),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::failed(error.to_string())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::failed(error.to_string())
    }
}
