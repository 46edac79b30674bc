#![doc = include_str!("../README.md")]

extern crate self as sancho;

pub mod api;
pub mod client;
pub mod engine;
mod error;
pub mod guide;
pub mod job;
pub mod layers;
pub mod middleware;
pub mod serve;
pub mod store;
pub mod testing;

/// The worker: [`serve`](runtime::serve()) for a program of its own, [`Server`](runtime::Server) for one that does other things as well.
pub mod runtime {
    pub use crate::engine::{
        Capsule, CapsuleHandle, Handle, Mode, NotReady, ServedQueue, Server, ServerBuilder,
    };
    pub use crate::serve::serve;
}

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use api::cancel;
pub use client::{BulkError, Client, Config, Push, PushError, Set, Wire, client, init};
pub use error::{Error, Result};
pub use job::cron;
pub use job::current;
pub use job::payload::Record;
pub use job::{
    CancelReason, Cause, Checkpoint, CheckpointError, Context, Exhausted, Failure, GlobalId, JobId,
    Outcome, RetryIn, iterate,
};
pub use sancho_macros::job;
