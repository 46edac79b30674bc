//! Checkpoints: what a long job keeps of how far it has come, so that its next run goes on there.

mod iteration;
mod state;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use iteration::CANCELLED;
pub use iteration::{Iteration, JobProgress};
pub(crate) use state::{Answer, Checkpoints, Keeper, Keeping, Memory, Unwritten};

use super::{Context, JobId};

/// What a job is told at a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a job that is told to stop returns `Outcome::Interrupted`"]
pub enum Checkpoint {
    /// It goes on.
    GoOn,
    /// It leaves off and returns [`Outcome::Interrupted`](super::Outcome::Interrupted): the process stops, the job was cancelled,
    /// or it was given to another process.
    Stop,
}

impl Checkpoint {
    /// Whether the job leaves off.
    #[must_use]
    pub const fn should_stop(self) -> bool {
        matches!(self, Self::Stop)
    }
}

/// A checkpoint that cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The cursor cannot be JSON. Nothing was kept.
    #[error("the cursor of job {jid} cannot be kept, since it cannot be written as JSON: {source}")]
    #[non_exhaustive]
    Unwritable {
        /// The job.
        jid: JobId,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// What an earlier run kept is no such cursor. It stays as it is.
    #[error(
        "job {jid} has kept the cursor {kept}, which is no `{wanted}`: {source}; let the cursor's type read the old form as well, \
         or give the changed job another class"
    )]
    #[non_exhaustive]
    Unreadable {
        /// The job.
        jid: JobId,
        /// The beginning of what was kept.
        kept: String,
        /// The type that was asked for.
        wanted: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// Long jobs.
impl Context {
    /// Keeps how far the job has come, for the run that goes on after an interruption, a failure or a crash, and says whether to
    /// leave off.
    ///
    /// It is cheap: the cursor is written at most every 5 s, and when the job is told to stop; what was not written yet is
    /// written with the transaction that ends the execution, however it ends. So only a process that is killed loses something:
    /// the last 5 s. The cursor says what is **done**; as with every job, what comes after it may run twice.
    ///
    /// ```
    /// use sancho::{Context, Outcome, job};
    ///
    /// #[job]
    /// async fn reindex(to: u64, #[context] cx: &Context) -> Result<Outcome, Box<dyn std::error::Error + Send + Sync>> {
    ///     let from = cx.cursor::<u64>().await?.unwrap_or(0);
    ///     for row in from..to {
    ///         // ... the work on one row ...
    ///         if cx.checkpoint(&(row + 1)).await?.should_stop() {
    ///             return Ok(Outcome::Interrupted);
    ///         }
    ///     }
    ///     Ok(Outcome::Done)
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # assert_eq!(reindex(5, &sancho::testing::context()).await.unwrap(), Outcome::Done);
    /// # }
    /// ```
    ///
    /// A job that was cancelled and returns `Interrupted` is done. A function that is not async asks with
    /// `tokio::runtime::Handle::current().block_on(cx.checkpoint(&row))`.
    ///
    /// What was kept is forgotten when the job is done or discarded. It stays for 30 days where the job is in the dead set: tried
    /// again from there, it goes on where it was.
    ///
    /// # Errors
    /// A cursor that cannot be JSON. A store that gives no answer is none: the cursor is written later.
    ///
    /// # Cancel safety
    /// A cursor whose checkpoint was dropped is kept all the same, and written later.
    pub async fn checkpoint<T: Serialize + Sync + ?Sized>(
        &self,
        cursor: &T,
    ) -> Result<Checkpoint, CheckpointError> {
        let cursor =
            serde_json::to_string(cursor).map_err(|source| CheckpointError::Unwritable {
                jid: self.jid().clone(),
                source,
            })?;
        let checkpoints = self.checkpoints();
        checkpoints.load(self.jid()).await;
        checkpoints.set_cursor(cursor);
        checkpoints.flush(self.jid(), self.is_to_stop()).await;
        Ok(self.stand())
    }

    /// The last cursor of this job: that of an earlier run, until this one has made a checkpoint. Read from the store when it is
    /// first asked for.
    ///
    /// # Errors
    /// A cursor that is no `T`, as after a change of the job.
    ///
    /// # Cancel safety
    /// It can be dropped and asked again.
    pub async fn cursor<T: DeserializeOwned>(&self) -> Result<Option<T>, CheckpointError> {
        self.checkpoints().load(self.jid()).await;
        self.kept_cursor()
    }

    /// The same, once it was read.
    pub(super) fn kept_cursor<T: DeserializeOwned>(&self) -> Result<Option<T>, CheckpointError> {
        const SHOWN: usize = 100;
        let Some(kept) = self.checkpoints().cursor() else {
            return Ok(None);
        };
        match serde_json::from_str(&kept) {
            Ok(cursor) => Ok(Some(cursor)),
            Err(source) => Err(CheckpointError::Unreadable {
                jid: self.jid().clone(),
                kept: kept.chars().take(SHOWN).collect(),
                wanted: std::any::type_name::<T>(),
                source,
            }),
        }
    }

    /// Tells how much of the work is done, for whoever looks ([`Api::iteration`](crate::api::Api::iteration)). It is written as
    /// checkpoints are, and with them in a run that makes some.
    ///
    /// # Cancel safety
    /// JobProgress whose future was dropped is written later.
    pub async fn progress(&self, done: u64, total: u64) {
        let checkpoints = self.checkpoints();
        checkpoints.load(self.jid()).await;
        checkpoints.set_progress(JobProgress { done, total });
        // A write of the last cursor would put off that of the next one, which is about to be told.
        if !checkpoints.has_set_cursor() {
            checkpoints.flush(self.jid(), self.is_to_stop()).await;
        }
    }

    /// What the job is told now.
    fn stand(&self) -> Checkpoint {
        if self.is_to_stop() {
            Checkpoint::Stop
        } else {
            Checkpoint::GoOn
        }
    }

    fn is_to_stop(&self) -> bool {
        self.is_stopping() || self.is_cancelled() || self.checkpoints().is_over()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::ContextParts;

    fn context() -> Context {
        Context::new(ContextParts::detached(
            JobId::random(),
            "default".into(),
            Vec::new(),
        ))
    }

    #[tokio::test]
    async fn a_cursor_is_kept_in_memory_where_no_server_watches() {
        let cx = context();
        assert_eq!(cx.cursor::<u64>().await.unwrap(), None);
        let told = cx.checkpoint(&7_u64).await.unwrap();
        assert_eq!(told, Checkpoint::GoOn);
        assert_eq!(cx.cursor::<u64>().await.unwrap(), Some(7));
        assert_eq!(cx.cursor::<i8>().await.unwrap(), Some(7));
    }

    #[tokio::test]
    async fn a_cursor_of_another_type_is_an_error_that_shows_it() {
        let cx = context();
        let _ = cx.checkpoint("page 7").await.unwrap();
        let error = cx.cursor::<u64>().await.unwrap_err().to_string();
        assert!(
            error.contains("the cursor \"page 7\", which is no `u64`"),
            "{error}"
        );
        assert_eq!(cx.cursor::<String>().await.unwrap().unwrap(), "page 7");
    }

    #[tokio::test]
    async fn a_cursor_that_cannot_be_json_is_refused_and_the_last_one_stays() {
        let cx = context();
        let _ = cx.checkpoint(&1).await.unwrap();
        let odd = std::collections::BTreeMap::from([((1, 2), 3)]);
        let error = cx.checkpoint(&odd).await.unwrap_err().to_string();
        assert!(error.contains("cannot be written as JSON"), "{error}");
        assert_eq!(cx.cursor::<u64>().await.unwrap(), Some(1));
    }
}
