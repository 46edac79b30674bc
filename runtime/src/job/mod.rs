//! Jobs as values: what a job is, what it is given, what it comes to. Nothing here does I/O.

pub(crate) mod active_job;
pub(crate) mod args;
pub mod backoff;
pub(crate) mod blocking;
mod cancel;
pub(crate) mod chain;
pub(crate) mod checkpoint;
mod context;
pub mod cron;
pub mod current;
mod definition;
mod ending;
mod failure;
mod id;
pub mod iterate;
mod nearest;
mod one_line;
mod outcome;
pub(crate) mod panic;
pub mod payload;
mod policy;
mod queue;
mod registry;
mod span;
mod state;
mod time;
mod trace;
mod version;

pub use active_job::{GlobalId, GlobalIdError};
pub use args::{Args, ArgsError, Item, JobArg};
pub(crate) use cancel::Cancel;
pub use cancel::CancelReason;
pub use checkpoint::{Checkpoint, CheckpointError, Iteration, JobProgress};
pub use context::Context;
pub(crate) use context::ContextParts;
pub use definition::{
    ArgInfo, Backtrace, Call, CronInfo, Definition, Job, Location, Retry, Run, Spec, StateInfo,
    Takes,
};
pub use ending::Ending;
pub use failure::{Failure, FailureKind};
#[doc(hidden)]
pub use failure::{Message, OfAny, OfError, Returned};
pub use id::JobId;
pub(crate) use id::random_hex;
pub(crate) use nearest::{distance, nearest};
pub(crate) use one_line::{one_line, short};
pub use outcome::{IntoOutcome, JobError, Never, Outcome, Success};
#[doc(hidden)]
pub use policy::{AnyError, Delay, ErrorOf, Exhaust, Policy, RetryRule, Rule, Wait};
pub use policy::{Cause, Exhausted, IntoExhausted, RetryIn};
pub use queue::{MAX_QUEUE_NAME, check_queue_name};
pub(crate) use registry::Resolved;
pub use registry::{MissingState, Registry, RegistryError};
pub use span::parse_span;
pub use state::States;
pub use time::{FARTHEST, Timestamp};
pub use trace::TraceContext;
pub use version::OldArgs;
#[doc(hidden)]
pub use version::{Older, upcast};
