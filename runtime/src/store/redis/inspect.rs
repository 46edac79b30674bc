//! Looking: plain reads, over the tracked connection.

use fred::bytes::Bytes;
use fred::clients::{Client, Pipeline};
use fred::error::Error;
use fred::interfaces::{
    HashesInterface, KeysInterface, ListInterface, SetsInterface, SortedSetsInterface,
};
use fred::types::sorted_sets::ZSort;
use fred::types::{FromValue, Value};

use super::{RedisStore, connect, decode};
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

    /// The answers to several reads of one round trip. What stands in a key of another type is nothing.
    async fn answers(&self, pipeline: &Pipeline<Client>) -> Result<Vec<Value>, Unavailable> {
        self.ready()?;
        let answers: Vec<Result<Value, Error>> = pipeline.try_all().await;
        let lenient = |answer: Result<Value, Error>| match answer {
            Err(error) if error.details().starts_with("WRONGTYPE") => Ok(Value::Null),
            answer => answer.map_err(|error| self.unavailable(error)),
        };
        answers.into_iter().map(lenient).collect()
    }

    fn read<T: FromValue>(&self, answer: Option<Value>) -> Result<Option<T>, Unavailable> {
        answer
            .unwrap_or(Value::Null)
            .convert()
            .map_err(|error| self.unavailable(error))
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
        self.look(connect::time(&self.client)).await
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
            let names = self.members(Members::Queues).await?;
            let pipeline = self.client.pipeline();
            let ask = async {
                for name in &names {
                    let key = self.keys.queue(name);
                    let () = pipeline.llen(key.clone()).await?;
                    let () = pipeline.lindex(key, -1).await?;
                }
                for set in TimedSet::ALL {
                    let () = pipeline.zcard(self.keys.timed(set)).await?;
                }
                Ok(())
            };
            self.look(ask).await?;
            let mut answers = self.answers(&pipeline).await?.into_iter();
            let mut census = Census::default();
            for name in names {
                let size = self.read(answers.next())?.unwrap_or(0);
                let head = self.read(answers.next())?;
                census.queues.push(QueueInfo { name, size, head });
            }
            for size in [&mut census.schedule, &mut census.retry, &mut census.dead] {
                *size = self.read(answers.next())?.unwrap_or(0);
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
            let pipeline = self.client.pipeline();
            let ask = async {
                for (owner, _) in &ranked {
                    let claims = self.keys.claims(&Owner::from_text(owner));
                    let () = pipeline.hlen(claims.clone()).await?;
                    let () = pipeline.hexists(claims, ".").await?;
                }
                Ok(())
            };
            self.look(ask).await?;
            let mut answers = self.answers(&pipeline).await?.into_iter();
            let mut owners = Vec::with_capacity(ranked.len());
            for (owner, deadline) in ranked {
                let fields: u64 = self.read(answers.next())?.unwrap_or(0);
                let registered: bool = self.read(answers.next())?.unwrap_or(false);
                owners.push(OwnerInfo {
                    owner: Owner::from_text(&owner),
                    left: decode::left(deadline, now),
                    held: fields - u64::from(registered && fields > 0),
                });
            }
            owners.sort_by(|a, b| a.owner.cmp(&b.owner));
            Ok(owners)
        })
    }

    fn claims<'a>(&'a self, owner: &'a Owner, limit: usize) -> Answer<'a, Vec<Claimed>> {
        Box::pin(async move {
            let key = self.keys.claims(owner);
            let fields: Vec<String> = self.look(self.client.hkeys(key.clone())).await?;
            let mut tokens: Vec<u64> = fields
                .iter()
                .filter_map(|field| field.parse().ok())
                .collect();
            tokens.sort_unstable();
            tokens.truncate(limit);
            if tokens.is_empty() {
                return Ok(Vec::new());
            }
            let tokens: Vec<String> = tokens.iter().map(u64::to_string).collect();
            let values: Vec<Option<Bytes>> =
                self.look(self.client.hmget(key, tokens.clone())).await?;
            // One that ended between the two reads has no value.
            tokens
                .iter()
                .zip(values)
                .filter_map(|(token, value)| Some(decode::held(token, &value?)))
                .collect::<Result<_, _>>()
                .map_err(|odd| self.unexpected(odd))
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
