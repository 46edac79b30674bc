//! The hash of how far a job has come: Sidekiq's of its iterable jobs, with two fields of our own for its progress.

use std::time::Duration;

use bytes::Bytes;

use crate::job::Timestamp;

/// How far a job that iterates or makes checkpoints has come, as it last said.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Iteration {
    /// How often it was started.
    pub executions: u64,
    /// Where it goes on, as JSON text.
    pub cursor: Option<String>,
    /// How long it ran so far.
    pub runtime: Duration,
    /// When it was told to end.
    pub cancelled: Option<Timestamp>,
    /// How much of its work is done, if it has said so.
    pub progress: Option<JobProgress>,
}

/// How much of a job's work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobProgress {
    /// So much is done.
    pub done: u64,
    /// Of so much.
    pub total: u64,
}

/// When a job was told to end, in whole seconds.
pub(crate) const CANCELLED: &str = "cancelled";

const EXECUTIONS: &str = "ex";
const CURSOR: &str = "c";
const RUNTIME: &str = "rt";
const DONE: &str = "sancho_done";
const TOTAL: &str = "sancho_total";

/// The cursor of a job that has none.
const NO_CURSOR: &str = "null";

impl Iteration {
    /// How long it is kept after it was last written, as in Sidekiq.
    pub(crate) const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

    /// What the fields of the hash say; nothing, where there is none.
    pub(crate) fn read(fields: &[(String, Bytes)]) -> Option<Self> {
        if fields.is_empty() {
            return None;
        }
        let text = |name: &str| {
            let (_, value) = fields.iter().find(|(field, _)| field == name)?;
            std::str::from_utf8(value).ok()
        };
        let float = |name: &str| text(name).and_then(|text| text.parse::<f64>().ok());
        let whole = |name: &str| text(name).and_then(|text| text.parse::<u64>().ok());
        let cursor = text(CURSOR).filter(|cursor| *cursor != NO_CURSOR);
        let progress = whole(DONE).zip(whole(TOTAL));
        Some(Self {
            executions: whole(EXECUTIONS).unwrap_or_default(),
            cursor: cursor.map(ToOwned::to_owned),
            runtime: float(RUNTIME)
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                .unwrap_or_default(),
            cancelled: float(CANCELLED).map(Timestamp::from_score),
            progress: progress.map(|(done, total)| JobProgress { done, total }),
        })
    }

    /// The fields that a run writes. Those that Sidekiq reads are always among them; `cancelled` is written by others.
    pub(crate) fn fields(&self) -> Vec<(Box<str>, Bytes)> {
        let mut fields = Vec::with_capacity(5);
        let mut add = |name: &str, value: String| fields.push((name.into(), value.into()));
        add(EXECUTIONS, self.executions.to_string());
        add(
            CURSOR,
            self.cursor.clone().unwrap_or_else(|| NO_CURSOR.into()),
        );
        add(RUNTIME, self.runtime.as_secs_f64().to_string());
        if let Some(JobProgress { done, total }) = self.progress {
            add(DONE, done.to_string());
            add(TOTAL, total.to_string());
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let iteration = Iteration {
            executions: 3,
            cursor: Some("[1,\"a\"]".into()),
            runtime: Duration::from_millis(2_500),
            cancelled: None,
            progress: Some(JobProgress { done: 1, total: 4 }),
        };
        let fields: Vec<_> = iteration.fields();
        let fields: Vec<_> = fields
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect();
        assert_eq!(Iteration::read(&fields), Some(iteration));
    }

    #[test]
    fn a_job_without_a_cursor_has_one_that_ruby_reads() {
        let fields = Iteration::default().fields();
        let (_, cursor) = fields.iter().find(|(name, _)| &**name == "c").unwrap();
        assert_eq!(&cursor[..], b"null");
        let fields: Vec<_> = fields
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect();
        assert_eq!(Iteration::read(&fields).unwrap().cursor, None);
    }
}
