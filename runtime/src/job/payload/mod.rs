//! The payload: Sidekiq's JSON object, read and written.
//!
//! A payload that came from a store is never written anew: [`splice()`] changes single fields in its text, so that
//! unknown fields, their order, big integers and the text of floats go through unchanged.

mod backtrace;
mod fields;
mod object;
mod record;
mod splice;
mod wire;
mod write;

pub use backtrace::{read_backtrace, write_backtrace};
pub use fields::{Backtrace, Fields};
pub(crate) use object::read_object;
pub use record::{MalformedPayload, Record, Recoveries};
pub use splice::{Edit, MAX_NESTING, nesting, splice};
pub use wire::{Wire, read_time, ruby_float};
pub use write::NewJob;

/// The longest `error_message` that is written, in characters, as in Sidekiq.
pub const MAX_ERROR_MESSAGE: usize = 10_000;
