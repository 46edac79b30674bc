//! Entries of timed sets.

use std::ops::Deref;

use super::{ApiError, JobRecord};
use crate::job::Timestamp;
use crate::job::payload::ruby_float;
use crate::store::{Entry, TimedSet};

/// A job in the schedule, the retry set or the dead set.
#[derive(Clone, Debug)]
pub struct SortedEntry {
    set: TimedSet,
    at: Timestamp,
    job: JobRecord,
}

impl SortedEntry {
    pub(super) fn new(set: TimedSet, entry: Entry) -> Self {
        Self {
            set,
            at: entry.at.unwrap_or_default(),
            job: JobRecord::new(entry.payload, None),
        }
    }

    /// The set that it was seen in.
    #[must_use]
    pub fn set(&self) -> TimedSet {
        self.set
    }

    /// When it is due (schedule, retry), or when it died (dead).
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// What its payload says; also by dereferencing.
    #[must_use]
    pub fn job(&self) -> &JobRecord {
        &self.job
    }

    /// Its name in its set: `score|jid`, as in Sidekiq, which [`JobSet::entry`](super::JobSet::entry) finds.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}|{}", ruby_float(self.at.as_score()), self.job.jid())
    }

    /// When it was made, or failed last: what tells that it came into its set after a moment.
    pub(super) fn since(&self) -> Option<Timestamp> {
        [
            self.job.created_at(),
            self.job.failed_at(),
            self.job.retried_at(),
        ]
        .into_iter()
        .flatten()
        .max()
    }
}

impl Deref for SortedEntry {
    type Target = JobRecord;

    fn deref(&self) -> &JobRecord {
        &self.job
    }
}

/// The time and the job's id that `score|jid` names; Sidekiq's pages write `score-jid`.
pub(super) fn parse_id(id: &str) -> Result<(Timestamp, &str), ApiError> {
    let named = id.split_once('|').or_else(|| id.split_once('-'));
    named
        .and_then(|(score, jid)| {
            let score: f64 = score.parse().ok()?;
            score.is_finite().then(|| (Timestamp::from_score(score), jid))
        })
        .ok_or_else(|| {
            ApiError::invalid(format!(
                "{id:?} names no entry: an entry is named by its score and its job's id, like 1795469327.99|80aa6e5f"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_time_and_job() {
        let at = Timestamp::from_micros(1_795_469_327_994_799);
        let entry = SortedEntry::new(
            TimedSet::Retry,
            Entry {
                payload: r#"{"jid":"8-0|a"}"#.into(),
                at: Some(at),
            },
        );
        assert_eq!(entry.id(), "1795469327.994799|8-0|a");
        assert_eq!(parse_id(&entry.id()).unwrap(), (at, "8-0|a"));
        let rubys = Timestamp::from_score(1_795_469_327.994_799_4);
        assert_eq!(
            parse_id("1795469327.9947994-80aa").unwrap(),
            (rubys, "80aa")
        );
        for bad in ["", "80aa", "x|80aa", "nan|a", "inf|a", "|a", "-1"] {
            let error = parse_id(bad).unwrap_err();
            assert!(matches!(error, ApiError::Invalid(_)), "{bad}");
        }
    }
}
