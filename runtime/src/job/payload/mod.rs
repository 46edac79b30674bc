//! The payload: Sidekiq's JSON object, read and written.
//!
//! A payload that came from a store is never written anew: [`splice()`] changes single fields in its text, so that
//! unknown fields, their order, big integers and the text of floats go through unchanged. A run needs little of it, which
//! [`Record`] has; the rest is found when it is asked for ([`Fields`]).
//!
//! What is no job has one end each:
//!
//! | payload | what becomes of it |
//! |---|---|
//! | no JSON object, or not UTF-8 | to the dead set as it came; counted neither as processed nor as failed, as in Sidekiq |
//! | an object without a `class` that is a string, or without an `args` that is an array | to the dead set with its error; counted as failed |
//! | arguments that the job cannot take, a class that nobody here serves | fails, and is tried again |
//! | nests deeper than the 100 levels that Ruby reads | runs; where it fails or is put off, to the dead set with its error instead of a set that Ruby moves jobs from |
//! | any number of megabytes | as any other |
//!
//! Death handlers are told of each that goes to the dead set from the hands of a worker.

mod attempts;
mod backtrace;
mod fields;
mod object;
mod record;
mod splice;
mod wire;
mod write;

pub use attempts::Attempts;
pub use backtrace::{read_backtrace, write_backtrace};
pub use fields::Fields;
pub(crate) use object::read_object;
pub use record::{MalformedPayload, Record, Recoveries};
pub use splice::{Edit, MAX_NESTING, nesting, splice};
pub use wire::{Wire, read_time, ruby_float};
pub use write::{FieldError, NewJob};

/// The longest `error_message` that is written, in characters, as in Sidekiq.
pub const MAX_ERROR_MESSAGE: usize = 10_000;

#[cfg(test)]
mod tests;
