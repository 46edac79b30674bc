//! Jobs as values: what a job is, what it is given, what it comes to. Nothing here does I/O.

mod args;
pub mod backoff;
mod context;
mod definition;
mod failure;
mod id;
mod options;
mod outcome;
pub mod payload;
mod registry;
mod state;
mod time;

pub use args::{Args, ArgsError, Item, JobArg};
pub use context::Context;
pub use definition::{
    ArgInfo, Call, Definition, Job, Location, Retry, Run, Spec, StateInfo, TypedSet,
};
pub use failure::{Failure, FailureKind};
pub use id::JobId;
pub(crate) use id::random_hex;
pub use options::SetOptions;
pub use outcome::{IntoOutcome, JobError, Never, Outcome, Success};
pub use registry::{MissingState, Registry, RegistryError};
pub use state::States;
pub use time::Timestamp;
