//! Counting executions by class, for Sidekiq's metrics page: gathered here, and written with every beat of [`presence`](super::presence).
//!
//! What a process that is killed had not written is lost, as in Sidekiq: these are for looking at, and nothing hangs on them.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::job::payload::Wire;
use crate::job::{Ending, Outcome};
use crate::store::histogram::BOUNDS_MS;
use crate::store::{Effect, Key, keys};

/// How long the counts of a minute and the histograms are kept.
const KEEP_MINUTES: Duration = Duration::from_secs(8 * 60 * 60);

/// How long the counts of ten minutes are kept.
const KEEP_TEN_MINUTES: Duration = Duration::from_secs(72 * 60 * 60);

/// What was counted since the last time it was written.
#[derive(Debug, Default)]
pub(super) struct Metrics(Mutex<Counts>);

/// Counts by class.
pub(super) type Counts = HashMap<Box<str>, Count>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    executions: u64,
    failures: u64,
    /// Of those that did not fail.
    took: Duration,
    /// How many of those that did not fail fell into each bucket.
    histogram: [u16; BOUNDS_MS.len() + 1],
}

impl Metrics {
    /// Counts an execution. A payload that could not be read has no class to be counted for.
    pub(super) fn record(&self, class: Option<&str>, ending: &Ending, took: Duration) {
        let Some(class) = class else {
            return;
        };
        let failed = match ending {
            Ending::Failed(_) | Ending::Returned(Outcome::Retry(_) | Outcome::Dead(_)) => true,
            Ending::Returned(_) | Ending::Cancelled => false,
            Ending::Unreadable(_) | Ending::HandedBack | Ending::Lost => return,
        };
        let mut counts = self.lock();
        match counts.get_mut(class) {
            Some(count) => count.add(failed, took),
            None => counts.entry(class.into()).or_default().add(failed, took),
        }
    }

    /// Takes what was counted.
    pub(super) fn take(&self) -> Counts {
        mem::take(&mut *self.lock())
    }

    /// Counts on from what could not be written.
    pub(super) fn put_back(&self, counts: Counts) {
        let mut now = self.lock();
        for (class, count) in counts {
            now.entry(class).or_default().merge(&count);
        }
    }

    /// Nothing that holds the lock can panic half-way.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    fn add(&mut self, failed: bool, took: Duration) {
        self.executions += 1;
        if failed {
            self.failures += 1;
            return;
        }
        self.took += took;
        let bucket = &mut self.histogram[bucket(took)];
        *bucket = bucket.saturating_add(1);
    }

    fn merge(&mut self, other: &Self) {
        self.executions += other.executions;
        self.failures += other.failures;
        self.took += other.took;
        for (mine, more) in self.histogram.iter_mut().zip(other.histogram) {
            *mine = mine.saturating_add(more);
        }
    }

    /// The fields of a class in the hash of a minute, as Sidekiq names them.
    fn fields(&self, class: &str) -> impl Iterator<Item = (Box<str>, u64)> {
        let ms = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
        let succeeded = self.executions > self.failures;
        [
            (self.failures > 0).then(|| (format!("{class}|f").into(), self.failures)),
            Some((format!("{class}|p").into(), self.executions)),
            succeeded.then(|| (format!("{class}|ms").into(), ms)),
        ]
        .into_iter()
        .flatten()
    }

    fn buckets(&self) -> Vec<(u8, u16)> {
        (0..).zip(self.histogram).filter(|(_, n)| *n > 0).collect()
    }
}

/// The bucket of a time.
fn bucket(took: Duration) -> usize {
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    BOUNDS_MS.partition_point(|bound| *bound <= ms)
}

/// What writes these counts at this time. Sidekiq 6 has no metrics.
pub(super) fn effects(counts: &Counts, wire: Wire, now: DateTime<Utc>) -> Vec<Effect> {
    if counts.is_empty() || wire == Wire::Sidekiq6 {
        return Vec::new();
    }
    let fields: Vec<_> = counts
        .iter()
        .flat_map(|(class, count)| count.fields(class))
        .collect();
    let add = |key, ttl| Effect::AddFields {
        key,
        fields: fields.clone(),
        ttl,
    };
    let mut effects = match wire {
        Wire::Sidekiq8 => vec![
            add(keys::minute(now), KEEP_MINUTES),
            add(keys::ten_minutes(now), KEEP_TEN_MINUTES),
        ],
        Wire::Sidekiq6 | Wire::Sidekiq7 => vec![add(keys::minute_of_7(now), KEEP_MINUTES)],
    };
    let histogram: fn(&str, DateTime<Utc>) -> Key = match wire {
        Wire::Sidekiq8 => keys::histogram,
        Wire::Sidekiq6 | Wire::Sidekiq7 => keys::histogram_of_7,
    };
    effects.extend(counts.iter().filter_map(|(class, count)| {
        let counts = count.buckets();
        (!counts.is_empty()).then(|| Effect::Observe {
            key: histogram(class, now),
            counts,
            ttl: KEEP_MINUTES,
        })
    }));
    effects
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn counts() -> Counts {
        let metrics = Metrics::default();
        let done = Ending::Returned(Outcome::Done);
        metrics.record(Some("A"), &done, 19 * MS);
        metrics.record(Some("A"), &done, 20 * MS);
        metrics.record(
            Some("A"),
            &Ending::Returned(Outcome::Dead("x".into())),
            9 * MS,
        );
        metrics.record(Some("A"), &Ending::HandedBack, 9 * MS);
        metrics.record(None, &done, 9 * MS);
        metrics.put_back(metrics.take());
        metrics.take()
    }

    #[test]
    fn executions_are_written_as_sidekiq_8_writes_them() {
        let at = Utc.with_ymd_and_hms(2026, 11, 23, 21, 28, 3).unwrap();
        let fields = vec![("A|f".into(), 1), ("A|p".into(), 3), ("A|ms".into(), 39)];
        assert_eq!(
            effects(&counts(), Wire::Sidekiq8, at),
            [
                Effect::AddFields {
                    key: "j|261123|21:28".into(),
                    fields: fields.clone(),
                    ttl: Duration::from_secs(28_800),
                },
                Effect::AddFields {
                    key: "j|261123|21:2".into(),
                    fields,
                    ttl: Duration::from_secs(259_200),
                },
                Effect::Observe {
                    key: "h|A-23-21:28".into(),
                    counts: vec![(0, 1), (1, 1)],
                    ttl: Duration::from_secs(28_800),
                },
            ]
        );
        assert_eq!(effects(&counts(), Wire::Sidekiq6, at), []);
    }

    #[test]
    fn a_time_falls_into_the_first_bucket_whose_bound_is_above_it() {
        for (ms, index) in [(0, 0), (19, 0), (20, 1), (334_999, 24), (335_000, 25)] {
            assert_eq!(bucket(ms * MS), index, "{ms} ms");
        }
    }
}
