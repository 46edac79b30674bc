//! Enqueueing: from a typed call to a transaction.

mod push;
mod set;

pub use push::{BulkError, BulkPush, Inline, InlineError, Push, PushError};
pub use set::Set;

pub(crate) mod typed;
