//! One execution of a job that iterates. The loop over the items stands in the generated code; what it asks is here.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::{IntoSource, Source};
use crate::job::checkpoint::Checkpoint;
use crate::job::{CancelReason, Context, Failure, JobError, Outcome};

/// One execution of a job that iterates.
#[doc(hidden)]
#[derive(Debug)]
pub struct Iterating<'a> {
    context: &'a Context,
    state: State,
}

/// The type of a cursor.
#[doc(hidden)]
#[derive(Debug)]
pub struct CursorOf<C>(PhantomData<fn(C)>);

/// A source that is open.
#[doc(hidden)]
pub struct Items<S: IntoSource>(S::Source);

impl<S: IntoSource> fmt::Debug for Items<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Items(..)")
    }
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Running,
    /// The last item is done.
    Complete,
    /// It was told to stop, or an item asked for this.
    LeftOff(Outcome),
    Cancelled,
}

impl<'a> Iterating<'a> {
    /// Begins: reads where to go on, and whether the job was cancelled meanwhile.
    pub async fn begin(context: &'a Context) -> Self {
        let checkpoints = context.checkpoints();
        checkpoints.load(context.jid()).await;
        checkpoints.set_begun();
        context.cancel().ends_itself();
        let mut run = Self {
            context,
            state: State::Running,
        };
        if run.was_cancelled() {
            run.state = State::Cancelled;
        }
        run
    }

    /// Whether the job runs for the first time.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.state == State::Running && self.context.checkpoints().executions() == 1
    }

    /// Whether the job goes on with what an earlier run began.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.state == State::Running && !self.is_first()
    }

    /// Whether items are to be done.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state == State::Running
    }

    /// Where the job goes on; and the type of that, which the source must have as well.
    ///
    /// # Errors
    /// A cursor that is not the source's.
    pub fn cursor<C: DeserializeOwned>(&self) -> Result<(Option<C>, CursorOf<C>), Failure> {
        let cursor = self.context.kept_cursor().map_err(failed)?;
        Ok((cursor, CursorOf(PhantomData)))
    }

    /// The source that begins there.
    ///
    /// # Errors
    /// Why there is none.
    pub fn open<C, S>(&self, _: CursorOf<C>, source: S) -> Result<Items<S>, Failure>
    where
        S: IntoSource<Source: Source<Cursor = C>>,
    {
        source.into_source().map(Items).map_err(failed)
    }

    /// The next item; nothing where there is none, or the job is told to stop. Its cursor is kept before it is done.
    ///
    /// # Errors
    /// The source's own; a cursor that cannot be JSON.
    pub async fn next<S: IntoSource>(
        &mut self,
        Items(source): &mut Items<S>,
    ) -> Result<Option<<S::Source as Source>::Item>, Failure> {
        let Some(next) = self.unless_cancelled(source.next()).await else {
            return Ok(None);
        };
        let Some((item, cursor)) = next.map_err(failed)? else {
            self.state = State::Complete;
            return Ok(None);
        };
        let told = self.context.checkpoint(&cursor).await.map_err(failed)?;
        if told == Checkpoint::GoOn {
            return Ok(Some(item));
        }
        self.state = if self.was_cancelled() {
            State::Cancelled
        } else {
            State::LeftOff(Outcome::Interrupted)
        };
        Ok(None)
    }

    /// What an item, or the source, comes to; nothing where a user has cancelled the job, and it takes a second more to see that: then it is
    /// dropped, and nothing of it runs any more when this returns.
    pub async fn unless_cancelled<F: Future>(&mut self, work: F) -> Option<F::Output> {
        let cancel = self.context.cancel();
        let output = tokio::select! {
            biased;
            output = work => Some(output),
            () = cancel.user_is_out_of_patience() => None,
        };
        if output.is_none() {
            // A function of it on the blocking pool cannot be dropped.
            cancel.idle().await;
            self.state = State::Cancelled;
        }
        output
    }

    /// Whether the job goes on after an item that came to this. Of a job that was cancelled, nothing counts any more.
    ///
    /// # Errors
    /// The item's own.
    pub fn goes_on(&mut self, came_to: Result<Outcome, Failure>) -> Result<bool, Failure> {
        if self.context.cancel_reason() == Some(CancelReason::User) {
            self.state = State::Cancelled;
            return Ok(false);
        }
        let outcome = came_to?;
        if outcome != Outcome::Done {
            self.state = State::LeftOff(outcome);
        }
        Ok(self.is_running())
    }

    fn was_cancelled(&self) -> bool {
        let by_user = self.context.cancel_reason() == Some(CancelReason::User);
        by_user || self.context.checkpoints().is_cancelled()
    }

    /// Whether the job was told to end.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.state == State::Cancelled
    }

    /// Whether the last item is done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// What the execution came to.
    ///
    /// # Errors
    /// None: it is the result of the generated code.
    pub fn end(self) -> Result<Outcome, Failure> {
        Ok(match self.state {
            State::LeftOff(outcome) => outcome,
            State::Running | State::Complete | State::Cancelled => Outcome::Done,
        })
    }
}

/// What came of a hook.
///
/// # Errors
/// The hook's own.
#[doc(hidden)]
pub fn hook<R: HookResult>(result: R) -> Result<(), Failure> {
    result.into_result().map_err(failed)
}

/// What a hook gives: `()` or `Result<(), E>`.
#[diagnostic::on_unimplemented(
    message = "a hook of a job cannot return `{Self}`",
    label = "nobody would read this value",
    note = "return `()` or `Result<(), E>`"
)]
pub trait HookResult {
    /// What it fails with.
    type Error: JobError;

    /// The same as a result.
    ///
    /// # Errors
    /// The hook's own.
    fn into_result(self) -> Result<(), Self::Error>;
}

impl HookResult for () {
    type Error = std::convert::Infallible;

    fn into_result(self) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl<E: JobError> HookResult for Result<(), E> {
    type Error = E;

    fn into_result(self) -> Self {
        self
    }
}

fn failed<E: JobError>(error: E) -> Failure {
    Failure::from_error(error, None)
}
