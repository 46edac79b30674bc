//! Carrying the counters over: the totals, and those of single days.
//!
//! What is carried is written down at the source first, under an id. The destination adds it once for each id, and the source takes
//! it away together with what was written down. So a move that was cut off anywhere is gone on with, nothing is counted twice, and
//! what is counted at the source meanwhile stays to be carried.

use std::time::Duration;

use bytes::Bytes;

use super::{ApiError, REMEMBERED, Relocation, applied};
use crate::api::MAX_HISTORY;
use crate::job::JobId;
use crate::store::{Effect, Guard, Key, Stat, Tx};

/// The hash of what is being carried, at the source: a number for each counter, and the id.
const CARRIED: &str = "sancho:move:counters";

/// The field of the id.
const ID: &str = "id";

/// How long the destination knows what it has added. Whoever goes on with a move later than this counts it twice.
const ADDED: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A counter, and what it is at.
struct Counter {
    stat: Stat,
    day: Option<Box<str>>,
    n: i64,
}

impl Relocation {
    pub(super) async fn carry_counters(&mut self) -> Result<(), ApiError> {
        // Once more, for what was counted while a move before this one was cut off.
        for _ in 0..2 {
            if self.carried().await?.is_none() {
                self.write_down().await?;
            }
            match self.carried().await? {
                Some((id, counters)) => self.carry(&id, &counters).await?,
                None => break,
            }
        }
        Ok(())
    }

    async fn carry(&mut self, id: &str, counters: &[Counter]) -> Result<(), ApiError> {
        let once = |known: Key, ttl, sign: i64| {
            let carry = counters.iter().map(|counter| Effect::Carry {
                stat: counter.stat,
                day: counter.day.clone(),
                by: sign * counter.n,
            });
            let know = Effect::Set {
                key: known.clone(),
                value: Bytes::new(),
                ttl: Some(ttl),
            };
            Tx::when(Guard::Absent(known), carry.chain([know]).collect())
        };
        let add = once(format!("sancho:move:added:{id}").into(), ADDED, 1);
        applied(&self.placed.commit(vec![add]).await?)?;
        let mut take = once(format!("sancho:move:taken:{id}").into(), REMEMBERED, -1);
        take.then.insert(0, Effect::Unset(CARRIED.into()));
        applied(&self.taken.commit(vec![take]).await?)
    }

    /// What is written down.
    async fn carried(&self) -> Result<Option<(String, Vec<Counter>)>, ApiError> {
        let fields = self.from.fields_of(&[CARRIED.into()]).await?;
        let fields = fields.into_iter().next().unwrap_or_default();
        let id = fields.iter().find(|(name, _)| &**name == ID);
        let Some((_, id)) = id else {
            return Ok(None);
        };
        let id = String::from_utf8_lossy(id).into_owned();
        let counters = fields.iter().filter_map(|(name, n)| counter(name, n));
        Ok(Some((id, counters.collect())))
    }

    /// Writes down what there is to carry, unless another move has done it already.
    async fn write_down(&mut self) -> Result<(), ApiError> {
        let store = self.from.store();
        let totals = store.counters(&Stat::ALL.map(|stat| (stat, None))).await;
        let totals = totals.map_err(ApiError::unavailable)?;
        let mut fields: Vec<(Box<str>, u64)> = Stat::ALL
            .iter()
            .zip(totals)
            .map(|(stat, n)| (stat.name().into(), n))
            .collect();
        for day in self.from.history(MAX_HISTORY, None).await? {
            let counts = [(Stat::Processed, day.processed), (Stat::Failed, day.failed)];
            let named =
                |(stat, n): (Stat, u64)| (format!("{}:{}", stat.name(), day.date).into(), n);
            fields.extend(counts.map(named));
        }
        fields.retain(|(_, n)| *n > 0);
        if fields.is_empty() {
            return Ok(());
        }
        let id = JobId::random().as_str().to_owned();
        let numbers = fields
            .into_iter()
            .map(|(name, n)| (name, n.to_string().into()));
        let set = Effect::SetFields {
            key: CARRIED.into(),
            fields: numbers.chain([(ID.into(), id.into())]).collect(),
            ttl: None,
        };
        let absent = Guard::AbsentField(CARRIED.into(), ID.into());
        applied(&self.taken.commit(vec![Tx::when(absent, vec![set])]).await?)
    }
}

/// The counter of this name, as it stands in Sidekiq's layout.
fn counter(name: &str, n: &[u8]) -> Option<Counter> {
    let n = std::str::from_utf8(n).ok()?.parse().ok()?;
    Stat::ALL.into_iter().find_map(|stat| {
        let rest = name.strip_prefix(stat.name())?;
        let day = match rest.strip_prefix(':') {
            Some(day) => Some(day.into()),
            None if rest.is_empty() => None,
            None => return None,
        };
        Some(Counter { stat, day, n })
    })
}
