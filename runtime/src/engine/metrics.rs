//! Counting executions by class, for Sidekiq's metrics page: gathered here, and written with every beat of [`presence`](super::presence).
//! Beside that the totals since the start, for [`observe`](super::observe).
//!
//! What a process that is killed had not written is lost, as in Sidekiq: these are for looking at, and nothing hangs on them.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Engine;
use super::observe::Histogram;
use crate::job::payload::{Record, Wire};
use crate::job::{Ending, Outcome};
use crate::store::histogram::BOUNDS_MS;
use crate::store::{Effect, Key, keys};

/// How long the counts of a minute and the histograms are kept.
const KEEP_MINUTES: Duration = Duration::from_secs(8 * 60 * 60);

/// How long the counts of ten minutes are kept.
const KEEP_TEN_MINUTES: Duration = Duration::from_secs(72 * 60 * 60);

/// How many pairs of a class and a queue are told apart in the totals: what others call their queues must not fill the memory.
const MOST_SERIES: usize = 1_000;

/// What is not told apart in the totals: classes that are not served, and what comes after [`MOST_SERIES`].
const OTHER: &str = "(other)";

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Metrics(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    classes: HashMap<Box<str>, Class>,
    series: usize,
    others: Total,
}

/// The counts of a class, together: an execution looks it up once.
#[derive(Debug, Default)]
struct Class {
    /// Since the last time it was written.
    unwritten: Count,
    /// By queue. Empty for a class that is not served.
    totals: Vec<(Arc<str>, Total)>,
}

/// What became of jobs since the start.
#[derive(Clone, Debug, Default)]
pub(super) struct Total {
    pub(super) failed: u64,
    /// Of all executions, failed ones included.
    pub(super) took: Histogram,
    pub(super) retried: u64,
    pub(super) died: u64,
    pub(super) recovered: u64,
    pub(super) fenced: u64,
}

/// What the counts of a job are told apart by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Series<'a> {
    /// Missing where the payload could not be read.
    pub(super) class: Option<&'a str>,
    /// Whether this process serves the class.
    pub(super) is_served: bool,
    pub(super) queue: &'a Arc<str>,
}

impl<'a> Series<'a> {
    pub(super) fn of(engine: &Engine, record: Option<&'a Record>, queue: &'a Arc<str>) -> Self {
        let job = record.and_then(|record| engine.registry.resolve(record).ok());
        Self {
            class: record.map(|record| job.map_or(record.class(), |job| job.class(record))),
            is_served: job.is_some(),
            queue,
        }
    }
}

/// An execution that is counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Execution<'a> {
    pub(super) series: Series<'a>,
    pub(super) ending: &'a Ending,
    pub(super) took: Duration,
}

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
    pub(super) fn record(&self, execution: Execution<'_>) {
        let Series {
            class: Some(class),
            is_served,
            queue,
        } = execution.series
        else {
            return;
        };
        let failed = match execution.ending {
            Ending::Failed(_) | Ending::Returned(Outcome::Retry(_) | Outcome::Dead(_)) => true,
            Ending::Returned(_) | Ending::Cancelled => false,
            Ending::Unreadable(_) | Ending::HandedBack | Ending::Lost => return,
        };
        let took = execution.took;
        let mut state = self.lock();
        let State {
            classes,
            series,
            others,
        } = &mut *state;
        let of_class = match classes.get_mut(class) {
            Some(of_class) => of_class,
            None => classes.entry(class.into()).or_default(),
        };
        of_class.unwritten.add(failed, took);
        let total = if is_served {
            of_class.total(queue, series).unwrap_or(others)
        } else {
            others
        };
        total.failed += u64::from(failed);
        total.took.observe(took);
    }

    /// Counts what is seldom: everything but the end of an execution.
    pub(super) fn count(&self, of: Series<'_>, add: impl FnOnce(&mut Total)) {
        let mut state = self.lock();
        let State {
            classes,
            series,
            others,
        } = &mut *state;
        let total = match of.class {
            Some(class) if of.is_served => {
                let of_class = classes.entry(class.into()).or_default();
                of_class.total(of.queue, series).unwrap_or(others)
            }
            _ => others,
        };
        add(total);
    }

    /// Takes what was counted since the last time.
    pub(super) fn take(&self) -> Counts {
        let mut counts = Counts::new();
        self.lock().classes.retain(|class, of_class| {
            if of_class.unwritten.executions > 0 {
                counts.insert(class.clone(), mem::take(&mut of_class.unwritten));
            }
            !of_class.totals.is_empty()
        });
        counts
    }

    /// Counts on from what could not be written.
    pub(super) fn put_back(&self, counts: Counts) {
        let mut now = self.lock();
        for (class, count) in counts {
            now.classes
                .entry(class)
                .or_default()
                .unwritten
                .merge(&count);
        }
    }

    /// The totals by class and queue, sorted.
    pub(super) fn totals(&self) -> Vec<(Box<str>, Arc<str>, Total)> {
        let state = self.lock();
        let classes = state.classes.iter();
        let mut totals: Vec<_> = classes
            .flat_map(|(class, of_class)| {
                let totals = of_class.totals.iter();
                totals.map(|(queue, total)| (class.clone(), queue.clone(), total.clone()))
            })
            .collect();
        if !state.others.is_empty() {
            totals.push((OTHER.into(), OTHER.into(), state.others.clone()));
        }
        drop(state);
        totals.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        totals
    }

    /// Nothing that holds the lock can panic half-way.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Total {
    fn is_empty(&self) -> bool {
        let rare = self.retried + self.died + self.recovered + self.fenced;
        self.took.count() + rare == 0
    }
}

impl Class {
    /// The total of a queue, unless there are too many.
    fn total(&mut self, queue: &Arc<str>, series: &mut usize) -> Option<&mut Total> {
        let known = self.totals.iter().position(|(known, _)| known == queue);
        let index = match known {
            Some(index) => index,
            None if *series < MOST_SERIES => {
                *series += 1;
                self.totals.push((queue.clone(), Total::default()));
                self.totals.len() - 1
            }
            None => return None,
        };
        Some(&mut self.totals[index].1)
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

    fn record(
        metrics: &Metrics,
        class: Option<&str>,
        queue: &str,
        ending: &Ending,
        took: Duration,
    ) {
        metrics.record(Execution {
            series: Series {
                class,
                is_served: class != Some("Unknown"),
                queue: &queue.into(),
            },
            ending,
            took,
        });
    }

    fn metrics() -> Metrics {
        let metrics = Metrics::default();
        let done = Ending::Returned(Outcome::Done);
        let dead = Ending::Returned(Outcome::Dead("x".into()));
        record(&metrics, Some("A"), "q", &done, 19 * MS);
        record(&metrics, Some("A"), "q", &done, 20 * MS);
        record(&metrics, Some("A"), "r", &dead, 9 * MS);
        record(&metrics, Some("A"), "q", &Ending::HandedBack, 9 * MS);
        record(&metrics, None, "q", &done, 9 * MS);
        metrics
    }

    fn counts() -> Counts {
        let metrics = metrics();
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
    fn totals_stay_when_counts_are_taken_and_are_bounded() {
        let metrics = metrics();
        let dead = Ending::Returned(Outcome::Dead("x".into()));
        record(&metrics, Some("Unknown"), "q", &dead, MS);
        metrics.take();
        assert!(metrics.take().is_empty());
        let totals = |metrics: &Metrics| -> Vec<_> {
            let totals = metrics.totals().into_iter();
            totals
                .map(|(class, queue, total)| {
                    (format!("{class} {queue}"), total.took.count(), total.failed)
                })
                .collect()
        };
        assert_eq!(
            totals(&metrics),
            [
                ("(other) (other)".into(), 1, 1),
                ("A q".into(), 2, 0),
                ("A r".into(), 1, 1)
            ]
        );
        for n in 0..MOST_SERIES {
            record(&metrics, Some("B"), &n.to_string(), &dead, MS);
        }
        let totals = totals(&metrics);
        assert_eq!(totals.len(), MOST_SERIES + 1);
        assert_eq!(totals[0], ("(other) (other)".into(), 3, 3));
    }

    #[test]
    fn what_is_seldom_is_counted_for_the_classes_that_are_served() {
        let metrics = Metrics::default();
        let queue = "q".into();
        for (class, is_served) in [(Some("A"), true), (Some("Unknown"), false), (None, false)] {
            let series = Series {
                class,
                is_served,
                queue: &queue,
            };
            metrics.count(series, |total| total.died += 1);
        }
        // It was counted for no execution, so there is nothing for Sidekiq's page.
        assert!(metrics.take().is_empty());
        let died: Vec<_> = metrics
            .totals()
            .into_iter()
            .map(|(class, queue, total)| (format!("{class} {queue}"), total.died))
            .collect();
        assert_eq!(died, [("(other) (other)".into(), 2), ("A q".into(), 1)]);
    }

    #[test]
    fn a_time_falls_into_the_first_bucket_whose_bound_is_above_it() {
        for (ms, index) in [(0, 0), (19, 0), (20, 1), (334_999, 24), (335_000, 25)] {
            assert_eq!(bucket(ms * MS), index, "{ms} ms");
        }
    }
}
