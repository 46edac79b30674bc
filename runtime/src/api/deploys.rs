//! Deploy marks: what stands in the charts where a new version was deployed.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, DurationRound, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Utc};

use super::error::not_empty;
use super::{Acted, Api, ApiError};
use crate::job::Timestamp;
use crate::store::{Effect, Guard, Tx, keys};

/// How long a mark is kept, as in Sidekiq.
const KEEP_MARKS: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How long a label is not marked again, as in Sidekiq.
const LOCK: Duration = Duration::from_secs(60);

/// Deploy marks.
#[derive(Clone, Debug)]
pub struct Deploys {
    api: Api,
}

/// A deploy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mark {
    /// Its minute.
    pub at: Timestamp,
    /// What it was named.
    pub label: String,
}

impl Api {
    /// The deploy marks.
    #[must_use]
    pub fn deploys(&self) -> Deploys {
        Deploys { api: self.clone() }
    }
}

impl Deploys {
    /// Marks a deploy now; see [`mark_at`](Self::mark_at).
    ///
    /// ```
    /// # use sancho::{Client, Config, api::Api};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let api = Api::new(&Client::connect(Config::new().store("memory:")).await?);
    /// assert!(api.deploys().mark("v1.2").await?);
    /// assert!(!api.deploys().mark("v1.2").await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`mark_at`](Self::mark_at).
    pub async fn mark(&self, label: &str) -> Result<bool, ApiError> {
        self.mark_at(label, self.api.now()).await
    }

    /// Marks a deploy in the minute of `at`, and says whether it was marked: a label is marked once a minute, so that ten machines
    /// of one deploy mark it once, and a minute has one mark, the first.
    ///
    /// # Errors
    /// An empty label; a time that no calendar has; a store that gives no answer, or refuses.
    pub async fn mark_at(&self, label: &str, at: Timestamp) -> Result<bool, ApiError> {
        not_empty("the label of a deploy", label)?;
        let minute = DateTime::<Utc>::from(at)
            .duration_trunc(TimeDelta::minutes(1))
            .map_err(|error| {
                ApiError::invalid(format!("{at} cannot be the time of a deploy: {error}"))
            })?;
        let (lock, marks) = (keys::deploy_lock(label), keys::marks(minute));
        let field: Box<str> = minute.to_rfc3339_opts(SecondsFormat::Secs, true).into();
        let value = Bytes::copy_from_slice(label.as_bytes());
        let mark = Tx {
            when: vec![
                Guard::Absent(lock.clone()),
                Guard::AbsentField(marks.clone(), field.clone()),
            ],
            then: vec![
                Effect::Set {
                    key: lock,
                    value: value.clone(),
                    ttl: Some(LOCK),
                },
                Effect::SetFields {
                    key: marks,
                    fields: vec![(field, value)],
                    ttl: Some(KEEP_MARKS),
                },
            ],
            otherwise: Vec::new(),
        };
        self.api.act(mark).await.map(Acted::is_done)
    }

    /// The marks of a UTC day, in order.
    ///
    /// # Errors
    /// A store that gives no answer.
    pub async fn fetch(&self, date: NaiveDate) -> Result<Vec<Mark>, ApiError> {
        self.of_days(&[date]).await
    }

    /// The marks of these UTC days, in order.
    pub(super) async fn of_days(&self, dates: &[NaiveDate]) -> Result<Vec<Mark>, ApiError> {
        let key = |date: &NaiveDate| keys::marks(date.and_time(NaiveTime::MIN).and_utc());
        let keys: Vec<_> = dates.iter().map(key).collect();
        let fields = self.api.fields_of(&keys).await?;
        let mark = |(field, label): (String, Bytes)| {
            let at = DateTime::parse_from_rfc3339(&field).ok()?;
            Some(Mark {
                at: at.with_timezone(&Utc).into(),
                label: String::from_utf8_lossy(&label).into_owned(),
            })
        };
        let mut marks: Vec<Mark> = fields.into_iter().flatten().filter_map(mark).collect();
        marks.sort_by_key(|mark| mark.at);
        Ok(marks)
    }
}
