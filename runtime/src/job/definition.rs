//! What `#[job]` makes of a function: data, and one function pointer.

use std::any::TypeId;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{
    Args, Context, Failure, IntoOutcome, Older, Outcome, Policy, States, active_job, version,
};

/// A job, as the registry holds it.
#[derive(Debug)]
pub struct Definition {
    /// The function's name.
    pub name: &'static str,
    /// The name on the wire.
    pub class: &'static str,
    /// Other names under which it is served.
    pub aliases: &'static [&'static str],
    /// The queue it is pushed to.
    pub queue: &'static str,
    /// How often it is tried again.
    pub retry: Retry,
    /// For how long it is tried again after its first failure, instead of so many times.
    pub retry_for: Option<Duration>,
    /// The queue that it is tried again from, instead of the one that it was taken from.
    pub retry_queue: Option<&'static str>,
    /// Whether it goes to the dead set when it is exhausted; `None` is `true`.
    pub dead: Option<bool>,
    /// What is kept of the backtrace of a failure; `None` is nothing.
    pub backtrace: Option<Backtrace>,
    /// Its tags.
    pub tags: &'static [&'static str],
    /// How long one execution may take.
    pub timeout: Option<Duration>,
    /// What it says about its failures.
    pub policy: Policy,
    /// The version of its arguments, from 1.
    pub version: u32,
    /// When it is enqueued by itself.
    pub cron: Option<CronInfo>,
    /// Where the attribute stands.
    pub location: Location,
    /// Its arguments, in order.
    pub args: &'static [ArgInfo],
    /// The state that the function borrows; that of its callbacks stands in `policy`.
    pub states: &'static [StateInfo],
    /// Decodes the arguments and calls the function.
    pub run: Run,
}

impl Definition {
    /// All state that it needs where a server runs it.
    pub(crate) fn all_states(&self) -> impl Iterator<Item = &'static StateInfo> + use<> {
        self.states.iter().chain(self.policy.states)
    }
}

/// How a call is made: owned in, a future out.
pub type Run = fn(Call) -> Pin<Box<dyn Future<Output = Result<Outcome, Failure>> + Send>>;

/// How often a failed job is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// `true`: as often as the server's default says (25 times over about 20 days).
    Default,
    /// `false`: not at all, and it does not go to the dead set either.
    Never,
    /// This often; after that it goes to the dead set. `Times(0)`: straight to the dead set.
    Times(u32),
}

impl From<u32> for Retry {
    fn from(times: u32) -> Self {
        Self::Times(times)
    }
}

impl From<bool> for Retry {
    fn from(retry: bool) -> Self {
        if retry { Self::Default } else { Self::Never }
    }
}

/// What is kept of the backtrace of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backtrace {
    /// `false`: nothing.
    None,
    /// `true`: all of it.
    All,
    /// So many lines.
    Lines(u32),
}

impl From<u32> for Backtrace {
    fn from(lines: u32) -> Self {
        Self::Lines(lines)
    }
}

impl From<bool> for Backtrace {
    fn from(backtrace: bool) -> Self {
        if backtrace { Self::All } else { Self::None }
    }
}

/// When a job is enqueued by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CronInfo {
    /// The cron expression.
    pub expression: &'static str,
    /// The name of its time zone; `None` is UTC.
    pub tz: Option<&'static str>,
}

impl CronInfo {
    /// This expression in this zone.
    #[must_use]
    pub const fn new(expression: &'static str, tz: Option<&'static str>) -> Self {
        Self { expression, tz }
    }
}

/// A place in the user's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file, as the compiler was given it.
    pub file: &'static str,
    /// The line, from 1.
    pub line: u32,
}

impl Location {
    /// This line of this file.
    #[must_use]
    pub const fn new(file: &'static str, line: u32) -> Self {
        Self { file, line }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A parameter that stands in the payload.
#[derive(Clone, Copy, Debug)]
pub struct ArgInfo {
    /// Its name.
    pub name: &'static str,
    /// Its type, as written.
    pub type_name: &'static str,
}

impl ArgInfo {
    /// A parameter of this name and type.
    #[must_use]
    pub const fn new(name: &'static str, type_name: &'static str) -> Self {
        Self { name, type_name }
    }
}

/// A parameter that is shared state.
#[derive(Clone, Copy, Debug)]
pub struct StateInfo {
    /// The type's id.
    pub id: fn() -> TypeId,
    /// The type's name.
    pub type_name: fn() -> &'static str,
}

impl StateInfo {
    /// The state of this type.
    #[must_use]
    pub const fn of<T: ?Sized + Send + Sync + 'static>() -> Self {
        Self {
            id: TypeId::of::<T>,
            type_name: std::any::type_name::<T>,
        }
    }
}

/// A job type: what `#[job]` makes beside the function of the same name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a job",
    note = "put `#[sancho::job]` on the function of that name"
)]
pub trait Job: 'static {
    /// What the job is.
    #[doc(hidden)]
    const DEFINITION: &'static Definition;
    /// The typed functions of `set()`.
    #[doc(hidden)]
    type Typed;
}

/// A job whose arguments are the tuple `A`, which is the only one. `#[job]` implements it; as a parameter of the trait, `A` may be
/// a private type.
#[diagnostic::on_unimplemented(message = "the arguments of the job `{Self}` are not `{A}`")]
pub trait Takes<A>: Job {}

/// The types of a job's arguments and result; implemented by a private type, since they may be private.
#[doc(hidden)]
pub trait Spec: 'static {
    /// The arguments, as a tuple.
    type Args: Args;
    /// The result.
    type Output: IntoOutcome;
    /// What the job is.
    const DEFINITION: &'static Definition;
    /// What reads the arguments of older versions, the newest of them first.
    const OLDER: &'static [Older<Self::Args>] = &[];
}

/// Everything that one execution is given. Owned, so that the job's future can borrow from it.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Call {
    args: Bytes,
    /// Whether `args` hold an ActiveJob, whose own arguments are the job's.
    active_job: bool,
    /// The version of the arguments.
    version: u32,
    states: Arc<States>,
    context: Context,
}

impl Call {
    pub(crate) fn new(args: Bytes, states: Arc<States>, context: Context) -> Self {
        Self {
            args,
            active_job: false,
            version: 1,
            states,
            context,
        }
    }

    /// The same call, of an ActiveJob.
    pub(crate) fn of_active_job(self) -> Self {
        Self {
            active_job: true,
            ..self
        }
    }

    /// The same call with other arguments, given as the job takes them.
    pub(crate) fn with_args(self, args: Bytes) -> Self {
        Self {
            args,
            active_job: false,
            ..self
        }
    }

    pub(crate) fn args_json(&self) -> &Bytes {
        &self.args
    }

    /// The same call, with arguments of this version.
    pub(crate) fn of_version(self, version: u32) -> Self {
        Self { version, ..self }
    }

    /// The decoded arguments.
    ///
    /// # Errors
    /// Those that are not the job's.
    pub fn args<S: Spec>(&self) -> Result<S::Args, Failure> {
        let decoded = if self.active_job {
            active_job::arguments(&self.args, S::DEFINITION.args)
                .and_then(|args| version::decode::<S>(args.as_bytes(), self.version))
        } else {
            version::decode::<S>(&self.args, self.version)
        };
        decoded.map_err(|error| Failure::undecodable(&error))
    }

    /// The shared state of this type.
    ///
    /// # Panics
    /// If it was not given; the start of a server checks that it was.
    #[must_use]
    pub fn state<T: ?Sized + Send + Sync + 'static>(&self) -> &T {
        self.states.borrowed()
    }

    /// The execution's context.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }
}
