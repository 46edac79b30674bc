//! What the code that `#[job]` generates may name. Not an interface: it changes with the macro.

pub use linkme;

pub use crate::job::{
    ArgInfo, Args, Call, Definition, Failure, IntoOutcome, Item, Job, Location, Outcome, Retry,
    Spec, StateInfo,
};

/// Every job that is linked into the binary.
#[linkme::distributed_slice]
pub static JOBS: [&'static Definition];
pub use crate::client::typed::{inline, push, push_at, push_bulk, push_in, set};
pub use crate::client::{SetOptions, TypedSet};
