//! Looking: plain reads, over the tracked connection.

use std::time::Duration;

use fred::bytes::Bytes;
use fred::error::Error;
use fred::interfaces::{
    HashesInterface, KeysInterface, ListInterface, SetsInterface, SortedSetsInterface,
};
use fred::types::sorted_sets::ZSort;

use super::{RedisStore, decode};
use crate::job::Timestamp;
use crate::store::{
    Answer, Census, Claimed, Due, Entry, Inspect, Members, Owner, OwnerInfo, Page, PlaceName,
    QueueInfo, Stat, TimedSet, Unavailable,
};

impl RedisStore {
    async fn look<T>(
        &self,
        look: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Unavailable> {
        self.ready()?;
        look.await.map_err(|error| self.unavailable(error))
    }

    /// Entries of a timed set by their rank.
    async fn ranked(
        &self,
        set: TimedSet,
        first: i64,
        last: i64,
    ) -> Result<Vec<(Bytes, f64)>, Unavailable> {
        let key = self.keys.timed(set);
        self.look(
            self.client
                .zrange(key, first, last, None::<ZSort>, false, None, true),
        )
        .await
    }

    async fn now(&self) -> Result<Timestamp, Unavailable> {
        if let Some(clock) = &self.clock {
            return Ok(clock());
        }
        let (seconds, micros): (i64, i64) = self
            .look(fred::interfaces::ClientLike::custom(
                &self.client,
                fred::types::CustomCommand::new_static("TIME", None, false),
                Vec::<String>::new(),
            ))
            .await?;
        Ok(Timestamp::from_micros(seconds * 1_000_000 + micros))
    }
}

impl Inspect for RedisStore {
    fn page<'a>(&'a self, place: &'a PlaceName, cursor: u64, limit: usize) -> Answer<'a, Page> {
        Box::pin(async move {
            if limit == 0 {
                return Ok(Page {
                    entries: Vec::new(),
                    next: Some(cursor),
                });
            }
            let (first, limit_rows) = (signed(cursor), signed(limit as u64));
            let mut entries: Vec<Entry> = match place {
                PlaceName::Queue(name) => {
                    // The head of a queue is the end of its list.
                    let (from, to) = (-1 - first - limit_rows, -1 - first);
                    let payloads: Vec<Bytes> = self
                        .look(self.client.lrange(self.keys.queue(name), from, to))
                        .await?;
                    payloads
                        .into_iter()
                        .rev()
                        .map(|payload| Entry { payload, at: None })
                        .collect()
                }
                PlaceName::Timed(set) => {
                    let ranked = self
                        .ranked(*set, first, first.saturating_add(limit_rows))
                        .await?;
                    ranked.into_iter().map(entry).collect()
                }
            };
            let more = entries.len() > limit;
            entries.truncate(limit);
            Ok(Page {
                next: more.then(|| cursor + entries.len() as u64),
                entries,
            })
        })
    }

    fn due(&self, set: TimedSet, now: Timestamp, limit: usize) -> Answer<'_, Due> {
        Box::pin(async move {
            // One more than is asked for: when the next one is due.
            let mut due = Due::default();
            for (payload, score) in self.ranked(set, 0, signed(limit as u64)).await? {
                let at = Timestamp::from_score(score);
                if at > now || due.entries.len() == limit {
                    due.next = Some(at);
                    break;
                }
                due.entries.push(Entry {
                    payload,
                    at: Some(at),
                });
            }
            Ok(due)
        })
    }

    fn find<'a>(&'a self, set: TimedSet, payload: &'a [u8]) -> Answer<'a, Option<Timestamp>> {
        Box::pin(async move {
            let member = Bytes::copy_from_slice(payload);
            let score: Option<f64> = self
                .look(self.client.zscore(self.keys.timed(set), member))
                .await?;
            Ok(score.map(Timestamp::from_score))
        })
    }

    fn census(&self) -> Answer<'_, Census> {
        Box::pin(async move {
            let mut census = Census::default();
            for name in self.members(Members::Queues).await? {
                let key = self.keys.queue(&name);
                let size: u64 = self.look(self.client.llen(key.clone())).await?;
                let head: Option<Bytes> = self.look(self.client.lindex(key, -1)).await?;
                census.queues.push(QueueInfo { name, size, head });
            }
            for (set, size) in [
                (TimedSet::Schedule, &mut census.schedule),
                (TimedSet::Retry, &mut census.retry),
                (TimedSet::Dead, &mut census.dead),
            ] {
                *size = self.look(self.client.zcard(self.keys.timed(set))).await?;
            }
            census.claimed = self.owners().await?.iter().map(|owner| owner.held).sum();
            Ok(census)
        })
    }

    fn counter<'a>(&'a self, stat: Stat, day: Option<&'a str>) -> Answer<'a, u64> {
        Box::pin(async move {
            let count: Option<u64> = self
                .look(self.client.get(self.keys.counter(stat, day)))
                .await?;
            Ok(count.unwrap_or(0))
        })
    }

    fn members(&self, set: Members) -> Answer<'_, Vec<String>> {
        Box::pin(async move {
            let mut members: Vec<String> = self
                .look(self.client.smembers(self.keys.members(set)))
                .await?;
            members.sort();
            Ok(members)
        })
    }

    fn owners(&self) -> Answer<'_, Vec<OwnerInfo>> {
        Box::pin(async move {
            let now = self.now().await?;
            let ranked: Vec<(String, f64)> = self
                .look(self.client.zrange(
                    self.keys.owners(),
                    0,
                    -1,
                    None::<ZSort>,
                    false,
                    None,
                    true,
                ))
                .await?;
            let mut owners = Vec::with_capacity(ranked.len());
            for (owner, deadline) in ranked {
                let owner = Owner::from_text(&owner);
                let claims = self.keys.claims(&owner);
                let fields: u64 = self.look(self.client.hlen(claims.clone())).await?;
                let registered: bool = self.look(self.client.hexists(claims, ".")).await?;
                let held = fields - u64::from(registered);
                let left: Duration = decode::left(deadline, now);
                owners.push(OwnerInfo { owner, left, held });
            }
            owners.sort_by(|a, b| a.owner.cmp(&b.owner));
            Ok(owners)
        })
    }

    fn claims<'a>(&'a self, owner: &'a Owner, limit: usize) -> Answer<'a, Vec<Claimed>> {
        Box::pin(async move {
            let fields: Vec<(String, Bytes)> = self
                .look(async {
                    let all: std::collections::HashMap<String, Bytes> =
                        self.client.hgetall(self.keys.claims(owner)).await?;
                    Ok(all.into_iter().collect())
                })
                .await?;
            let claims = fields
                .iter()
                .filter(|(field, _)| field != ".")
                .map(|(token, value)| decode::held(token, value));
            let mut claims: Vec<_> = claims
                .collect::<Result<_, _>>()
                .map_err(|odd| self.unexpected(odd))?;
            claims.sort_by_key(|claim| claim.token);
            claims.truncate(limit);
            Ok(claims)
        })
    }
}

fn entry((payload, score): (Bytes, f64)) -> Entry {
    Entry {
        payload,
        at: Some(Timestamp::from_score(score)),
    }
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX / 4)
}
