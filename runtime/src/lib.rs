//! Background jobs for Rust, in Sidekiq's model and Sidekiq's Redis format.

extern crate self as sancho;

pub mod api;
pub mod client;
pub mod engine;
pub mod job;
pub mod layers;
pub mod serve;
pub mod store;
pub mod testing;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use client::{Push, PushError, Set};
pub use job::{Context, JobId, Outcome};
pub use sancho_macros::job;
