//! Executions by class and time.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::error::not_empty;
use super::{Api, ApiError, Mark};
use crate::job::Timestamp;
use crate::store::histogram::BOUNDS_MS;
use crate::store::{Fields, Key, keys};

/// How many buckets a histogram has: one for each of [`BOUNDS_MS`], and one for what is above.
pub const BUCKETS: usize = BOUNDS_MS.len() + 1;

/// The time that metrics are asked for, up to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// So many minutes, 1 to 480, minute by minute.
    Minutes(u32),
    /// So many hours, 1 to 72, in steps of ten minutes. Sidekiq 7 keeps 8 of them.
    Hours(u32),
}

/// The metrics of a period.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// When each step begins, the earliest first. The last is the one that runs.
    pub steps: Vec<Timestamp>,
    /// How long a step is, in seconds: 60 or 600.
    pub step_seconds: u32,
    /// The classes, those whose executions took the most time together first.
    pub classes: Vec<ClassMetrics>,
    /// The deploys of the period, in order.
    pub marks: Vec<Mark>,
}

/// The metrics of a class. An ActiveJob has its own, not its wrapper's.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ClassMetrics {
    /// The class.
    pub class: String,
    /// What was counted in each step.
    pub series: Vec<Sample>,
    /// How many of the executions that succeeded in each step fell into each bucket, the fastest first; a minute's are only read by
    /// [`Api::metrics_of`], and only for minutes. An empty list otherwise.
    pub histograms: Vec<[u64; BUCKETS]>,
}

/// What was counted in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// Executions, failed ones included.
    pub executed: u64,
    /// Executions that failed.
    pub failed: u64,
    /// How long those that did not fail took together, in milliseconds.
    pub ms: u64,
}

/// What was counted, by class and step.
type Counts = BTreeMap<String, Vec<Sample>>;

impl Api {
    /// The metrics of all classes, or of those whose name contains `filter` (upper or lower case), over a period. One round trip that
    /// reads up to 960 hashes of as many classes as ran in that minute.
    ///
    /// ```
    /// # use sancho::{Client, Config, api::Api};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let api = Api::new(&Client::connect(Config::new().store("memory:")).await?);
    /// use sancho::api::Period;
    ///
    /// let metrics = api.top_jobs(Period::Hours(24), None).await?;
    /// for class in metrics.classes.iter().take(20) {
    ///     let totals = class.totals();
    ///     println!("{} {} {:.1} ms", class.class, totals.executed, totals.average_ms());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A period out of range; a store that gives no answer.
    pub async fn top_jobs(
        &self,
        period: Period,
        filter: Option<&str>,
    ) -> Result<Metrics, ApiError> {
        let filter = filter.map(str::to_lowercase);
        let wanted = |class: &str| {
            let contains = |filter| class.to_lowercase().contains(filter);
            filter.as_deref().is_none_or(contains)
        };
        self.metrics(period, &wanted).await
    }

    /// The metrics of one class over a period, with its histograms where the period is one of minutes. One round trip more than
    /// [`top_jobs`](Self::top_jobs).
    ///
    /// # Errors
    /// An empty class; a period out of range; a store that gives no answer.
    pub async fn metrics_of(&self, class: &str, period: Period) -> Result<Metrics, ApiError> {
        not_empty("the class", class)?;
        let mut metrics = self.metrics(period, &|name| name == class).await?;
        if metrics.classes.is_empty() {
            metrics.classes.push(ClassMetrics {
                class: class.to_owned(),
                series: vec![Sample::default(); metrics.steps.len()],
                histograms: Vec::new(),
            });
        }
        if let Period::Minutes(_) = period {
            let histograms = self.histograms(class, &metrics.steps).await?;
            metrics.classes[0].histograms = histograms;
        }
        Ok(metrics)
    }

    async fn metrics(
        &self,
        period: Period,
        wanted: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<Metrics, ApiError> {
        let steps = period.steps(self.now())?;
        let (keys, of_step) = period.keys(&steps);
        let mut counts = Counts::new();
        for (fields, step) in self.fields_of(&keys).await?.iter().zip(of_step) {
            add(&mut counts, fields, step, steps.len(), wanted);
        }
        let class = |(class, series)| ClassMetrics {
            class,
            series,
            histograms: Vec::new(),
        };
        let mut classes: Vec<ClassMetrics> = counts.into_iter().map(class).collect();
        // Equal ones stay ordered by name.
        classes.sort_by_key(|class| std::cmp::Reverse(class.totals().ms));
        Ok(Metrics {
            marks: self.marks_of(&steps, period).await?,
            step_seconds: period.step_seconds(),
            classes,
            steps,
        })
    }

    async fn histograms(
        &self,
        class: &str,
        minutes: &[Timestamp],
    ) -> Result<Vec<[u64; BUCKETS]>, ApiError> {
        let keys: Vec<Key> = minutes
            .iter()
            .map(|minute| DateTime::<Utc>::from(*minute))
            .flat_map(|at| [keys::histogram(class, at), keys::histogram_of_7(class, at)])
            .collect();
        let values = self.store().values(&keys).await;
        let values = values.map_err(ApiError::unavailable)?;
        let mut histograms = vec![[0; BUCKETS]; minutes.len()];
        for (index, value) in values.iter().enumerate() {
            let buckets = value.iter().flat_map(|value| value.chunks_exact(2));
            for (bucket, n) in histograms[index / 2].iter_mut().zip(buckets) {
                *bucket += u64::from(u16::from_be_bytes([n[0], n[1]]));
            }
        }
        Ok(histograms)
    }

    async fn marks_of(&self, steps: &[Timestamp], period: Period) -> Result<Vec<Mark>, ApiError> {
        let dates: BTreeSet<_> = steps
            .iter()
            .map(|step| DateTime::<Utc>::from(*step).date_naive())
            .collect();
        let dates: Vec<_> = dates.into_iter().collect();
        let marks = self.deploys().of_days(&dates).await?.into_iter();
        let step_micros = i64::from(period.step_seconds()) * 1_000_000;
        let (first, last) = (steps.first().copied(), steps.last().copied());
        let within = |mark: &Mark| {
            first.is_some_and(|first| mark.at >= first)
                && last.is_some_and(|last| mark.at.as_micros() < last.as_micros() + step_micros)
        };
        Ok(marks.filter(within).collect())
    }
}

impl Period {
    /// When each step begins, the earliest first.
    fn steps(self, now: Timestamp) -> Result<Vec<Timestamp>, ApiError> {
        let (what, asked, most, per) = match self {
            Self::Minutes(n) => ("minutes", n, 480, 1),
            Self::Hours(n) => ("hours", n, 72, 6),
        };
        if !(1..=most).contains(&asked) {
            return Err(ApiError::invalid(format!(
                "metrics of {asked} {what} were asked for: ask for 1 to {most}"
            )));
        }
        let step = i64::from(self.step_seconds()) * 1_000_000;
        let last = now.as_micros().div_euclid(step);
        let steps = (0..i64::from(asked * per)).rev();
        Ok(steps
            .map(|back| Timestamp::from_micros((last - back).saturating_mul(step)))
            .collect())
    }

    fn step_seconds(self) -> u32 {
        match self {
            Self::Minutes(_) => 60,
            Self::Hours(_) => 600,
        }
    }

    /// The hashes to read, and the step that each belongs to. A version of Sidekiq writes its own.
    fn keys(self, steps: &[Timestamp]) -> (Vec<Key>, Vec<usize>) {
        let (mut keys, mut of_step) = (Vec::new(), Vec::new());
        let mut read = |key, step| {
            keys.push(key);
            of_step.push(step);
        };
        for (index, step) in steps.iter().enumerate() {
            let at = DateTime::<Utc>::from(*step);
            match self {
                Self::Minutes(_) => {
                    read(keys::minute(at), index);
                    read(keys::minute_of_7(at), index);
                }
                Self::Hours(_) => {
                    read(keys::ten_minutes(at), index);
                    // 7 has minutes only, and keeps them for eight hours.
                    if steps.len() - index <= 8 * 6 {
                        for minute in 0..10 {
                            let at = at + chrono::TimeDelta::minutes(minute);
                            read(keys::minute_of_7(at), index);
                        }
                    }
                }
            }
        }
        (keys, of_step)
    }
}

impl ClassMetrics {
    /// What was counted in all steps.
    #[must_use]
    pub fn totals(&self) -> Sample {
        let mut sum = Sample::default();
        for step in &self.series {
            sum.executed = sum.executed.saturating_add(step.executed);
            sum.failed = sum.failed.saturating_add(step.failed);
            sum.ms = sum.ms.saturating_add(step.ms);
        }
        sum
    }

    /// How many of the executions that succeeded fell into each bucket in all steps, the fastest first.
    #[must_use]
    pub fn histogram(&self) -> [u64; BUCKETS] {
        let mut all = [0; BUCKETS];
        for step in &self.histograms {
            for (bucket, n) in all.iter_mut().zip(step) {
                *bucket += n;
            }
        }
        all
    }
}

impl Sample {
    /// How long an execution that did not fail took on average, in milliseconds; 0 where there was none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an average is no exact number")]
    pub fn average_ms(&self) -> f64 {
        match self.executed.saturating_sub(self.failed) {
            0 => 0.0,
            succeeded => self.ms as f64 / succeeded as f64,
        }
    }
}

/// Adds what stands in a hash: `Class|p`, `Class|f` and `Class|ms`.
fn add(
    counts: &mut Counts,
    fields: &Fields,
    step: usize,
    steps: usize,
    wanted: &(dyn Fn(&str) -> bool + Sync),
) {
    for (field, value) in fields {
        let Some((class, what)) = field.rsplit_once('|') else {
            continue;
        };
        let Some(n) = std::str::from_utf8(value).ok().and_then(|n| n.parse().ok()) else {
            continue;
        };
        if !wanted(class) {
            continue;
        }
        let empty = || vec![Sample::default(); steps];
        let sample = &mut counts.entry(class.to_owned()).or_insert_with(empty)[step];
        let count: &mut u64 = match what {
            "p" => &mut sample.executed,
            "f" => &mut sample.failed,
            "ms" => &mut sample.ms,
            _ => continue,
        };
        *count = count.saturating_add(n);
    }
}
