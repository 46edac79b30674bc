//! The payload: Sidekiq's JSON object, read and written.
//!
//! A payload that came from a store is never written anew: [`splice()`] changes single fields in its text, so that
//! unknown fields, their order, big integers and the text of floats go through unchanged.

mod record;
mod splice;
mod wire;
mod write;

pub use record::{MalformedPayload, Record, Recoveries};
pub use splice::{Edit, splice};
pub use wire::{Wire, read_time, ruby_float};
pub use write::{FieldError, NewJob};

/// The longest `error_message` that is written, in characters, as in Sidekiq.
pub const MAX_ERROR_MESSAGE: usize = 10_000;
