//! A job's arguments: the positional JSON array of the payload.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ArgInfo;

/// The type of a parameter that stands in the payload.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a job argument",
    label = "cannot be stored as JSON",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, or mark the parameter `#[state]` if it is shared state"
)]
pub trait JobArg: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> JobArg for T {}

/// All arguments of a job, as a tuple.
pub trait Args: Send + 'static {
    /// The JSON array, without white space.
    ///
    /// # Errors
    /// Where a value cannot be JSON (a map with keys that are not strings, a float that is not a number, ...).
    fn encode(&self, info: &[ArgInfo]) -> Result<String, ArgsError>;

    /// The arguments of a JSON array. A missing trailing argument is read as `null`.
    ///
    /// # Errors
    /// An argument of another type, by its name; too few; too many; no array.
    fn decode(json: &[u8], info: &[ArgInfo]) -> Result<Self, ArgsError>
    where
        Self: Sized;
}

/// An item of `perform_bulk` for a job of one argument: the bare value, or a tuple of it.
pub trait Item<T>: Sized {
    /// The arguments.
    fn into_args(self) -> (T,);
}

impl<T> Item<T> for T {
    fn into_args(self) -> (T,) {
        (self,)
    }
}

impl<T> Item<T> for (T,) {
    fn into_args(self) -> (T,) {
        self
    }
}

/// Arguments that cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ArgsError {
    message: String,
}

impl ArgsError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}
