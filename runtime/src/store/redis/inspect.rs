//! Looking: plain reads, over the tracked connection.

use std::collections::HashMap;
use std::sync::PoisonError;

use fred::bytes::Bytes;
use fred::clients::{Client, Pipeline};
use fred::error::Error;
use fred::interfaces::{
    ClientLike, HashesInterface, KeysInterface, ListInterface, SetsInterface, SortedSetsInterface,
};
use fred::types::sorted_sets::ZSort;
use fred::types::{CustomCommand, FromValue, Key as Name, Value};

use super::encode::Encoded;
use super::keys::literally;
use super::scripts::Script;
use super::{RedisStore, connect, decode};
use crate::job::Timestamp;
use crate::store::{
    Answer, Census, Claimed, Defect, Due, Entry, Fields, Inspect, Key, Members, Order, Owner,
    OwnerInfo, Page, PlaceName, QueueInfo, Stat, TimedSet, Unavailable,
};

impl RedisStore {
    pub(super) async fn look<T>(
        &self,
        look: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Unavailable> {
        self.ready()?;
        look.await.map_err(|error| self.unavailable(error))
    }

    /// The answers to several reads of one round trip. What stands in a key of another type is nothing.
    pub(super) async fn answers(
        &self,
        pipeline: &Pipeline<Client>,
    ) -> Result<Vec<Value>, Unavailable> {
        self.ready()?;
        let answers: Vec<Result<Value, Error>> = pipeline.try_all().await;
        let lenient = |answer: Result<Value, Error>| match answer {
            Err(error) if error.details().starts_with("WRONGTYPE") => Ok(Value::Null),
            answer => answer.map_err(|error| self.unavailable(error)),
        };
        answers.into_iter().map(lenient).collect()
    }

    pub(super) fn read<T: FromValue>(
        &self,
        answer: Option<Value>,
    ) -> Result<Option<T>, Unavailable> {
        answer
            .unwrap_or(Value::Null)
            .convert()
            .map_err(|error| self.unavailable(error))
    }

    /// Items of a list.
    async fn range(&self, key: Bytes, first: i64, last: i64) -> Result<Vec<Bytes>, Unavailable> {
        let encoded = Encoded {
            keys: vec![key],
            args: vec![first.into(), last.into()],
        };
        let answer = self.call(Script::Look, encoded).await?;
        decode::items(answer).map_err(|odd| self.unexpected(odd))
    }

    /// Entries of a timed set by their rank.
    async fn ranked(
        &self,
        set: TimedSet,
        order: Order,
        first: i64,
        last: i64,
    ) -> Result<Vec<(Bytes, f64)>, Unavailable> {
        let (key, backward) = (self.keys.timed(set), order == Order::Backward);
        self.look(
            self.client
                .zrange(key, first, last, None::<ZSort>, backward, None, true),
        )
        .await
    }

    /// Asks for the first entries of a timed set between two scores.
    async fn between(
        &self,
        pipeline: &Pipeline<Client>,
        set: TimedSet,
        from: &str,
        to: &str,
        count: i64,
    ) -> Result<(), Error> {
        let command = CustomCommand::new_static("ZRANGEBYSCORE", None, false);
        let args: Vec<Value> = vec![
            self.keys.timed(set).into(),
            from.into(),
            to.into(),
            "WITHSCORES".into(),
            "LIMIT".into(),
            0.into(),
            count.into(),
        ];
        pipeline.custom(command, args).await
    }

    pub(super) async fn now(&self) -> Result<Timestamp, Unavailable> {
        if let Some(clock) = &self.clock {
            return Ok(clock());
        }
        self.look(connect::time(&self.client, &self.keys)).await
    }
}

impl Inspect for RedisStore {
    fn page<'a>(
        &'a self,
        place: &'a PlaceName,
        order: Order,
        cursor: u64,
        limit: usize,
    ) -> Answer<'a, Page> {
        Box::pin(async move {
            // One more than is asked for: whether there is a next page.
            let (first, count) = (signed(cursor), signed(limit as u64));
            let last = first.saturating_add(count);
            let mut entries: Vec<Entry> = match place {
                PlaceName::Queue(name) => {
                    let key = self.keys.queue(name);
                    // The head of a queue is the end of its list.
                    let payloads = match order {
                        Order::Backward => self.range(key, first, last).await?,
                        Order::Forward => {
                            let mut payloads = self.range(key, -1 - last, -1 - first).await?;
                            payloads.reverse();
                            payloads
                        }
                    };
                    let waiting = |payload| Entry { payload, at: None };
                    payloads.into_iter().map(waiting).collect()
                }
                PlaceName::Timed(set) => {
                    let ranked = self.ranked(*set, order, first, last).await?;
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

    fn scan<'a>(
        &'a self,
        set: TimedSet,
        text: &'a str,
        cursor: u64,
        limit: usize,
    ) -> Answer<'a, Page> {
        Box::pin(async move {
            let command = CustomCommand::new_static("ZSCAN", None, false);
            let args: Vec<Value> = vec![
                self.keys.timed(set).into(),
                cursor.to_string().into(),
                "MATCH".into(),
                containing(text).into(),
                "COUNT".into(),
                signed(limit.max(1) as u64).into(),
            ];
            let (next, found): (u64, Vec<(Bytes, f64)>) =
                self.look(self.client.custom(command, args)).await?;
            Ok(Page {
                entries: found.into_iter().map(entry).collect(),
                next: (next > 0).then_some(next),
            })
        })
    }

    fn due(&self, set: TimedSet, now: Timestamp, limit: usize) -> Answer<'_, Due> {
        Box::pin(async move {
            let (until, after) = (now.to_string(), format!("({now}"));
            let pipeline = self.client.pipeline();
            let ask = async {
                // One more than is asked for: when the next one is due. Else that is the first that is not due.
                let count = signed(limit as u64).saturating_add(1);
                self.between(&pipeline, set, "-inf", &until, count).await?;
                self.between(&pipeline, set, &after, "+inf", 1).await
            };
            self.look(ask).await?;
            let mut answers = self.look(pipeline.all::<Vec<Value>>()).await?.into_iter();
            let mut ranked = || -> Result<Vec<(Bytes, f64)>, Unavailable> {
                Ok(self.read(answers.next())?.unwrap_or_default())
            };
            let mut entries: Vec<Entry> = ranked()?.into_iter().map(entry).collect();
            let later = ranked()?.into_iter().map(entry);
            let next = if entries.len() > limit {
                entries.drain(limit..).next()
            } else {
                later.take(1).next()
            };
            Ok(Due {
                entries,
                next: next.and_then(|entry| entry.at),
            })
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

    fn at(&self, set: TimedSet, at: Timestamp, cursor: u64, limit: usize) -> Answer<'_, Page> {
        Box::pin(async move {
            let command = CustomCommand::new_static("ZRANGEBYSCORE", None, false);
            // Ruby's scores are finer than a microsecond: this is more than can round to it.
            let (from, to) = (at.as_score() - 1e-6, at.as_score() + 1e-6);
            let args: Vec<Value> = vec![
                self.keys.timed(set).into(),
                from.to_string().into(),
                to.to_string().into(),
                "WITHSCORES".into(),
                "LIMIT".into(),
                signed(cursor).into(),
                signed(limit as u64).saturating_add(1).into(),
            ];
            let found: Vec<(Bytes, f64)> = self.look(self.client.custom(command, args)).await?;
            let more = found.len() > limit;
            let entries = found.into_iter().take(limit).map(entry);
            Ok(Page {
                next: more.then(|| cursor.saturating_add(limit as u64)),
                entries: entries.filter(|entry| entry.at == Some(at)).collect(),
            })
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

    fn counters<'a>(&'a self, which: &'a [(Stat, Option<&'a str>)]) -> Answer<'a, Vec<u64>> {
        Box::pin(async move {
            let pipeline = self.client.pipeline();
            let ask = async {
                for (stat, day) in which {
                    let () = pipeline.get(self.keys.counter(*stat, *day)).await?;
                }
                Ok(())
            };
            self.look(ask).await?;
            let count = |answer| Ok(self.read(Some(answer))?.unwrap_or(0));
            self.answers(&pipeline)
                .await?
                .into_iter()
                .map(count)
                .collect()
        })
    }

    fn values<'a>(&'a self, keys: &'a [Key]) -> Answer<'a, Vec<Option<Bytes>>> {
        Box::pin(async move {
            let pipeline = self.client.pipeline();
            let ask = async {
                for key in keys {
                    let () = pipeline.get(self.keys.note(key)).await?;
                }
                Ok(())
            };
            self.look(ask).await?;
            let answers = self.answers(&pipeline).await?;
            answers
                .into_iter()
                .map(|answer| self.read(Some(answer)))
                .collect()
        })
    }

    fn fields<'a>(&'a self, keys: &'a [Key]) -> Answer<'a, Vec<Fields>> {
        Box::pin(async move {
            let pipeline = self.client.pipeline();
            let ask = async {
                for key in keys {
                    let () = pipeline.hgetall(self.keys.note(key)).await?;
                }
                Ok(())
            };
            self.look(ask).await?;
            let sorted = |answer| {
                let fields: HashMap<Name, Bytes> = self.read(Some(answer))?.unwrap_or_default();
                // Another program may have put there what is no text: no field of ours.
                let mut fields: Fields = fields
                    .into_iter()
                    .filter_map(|(name, value)| Some((name.into_string()?, value)))
                    .collect();
                fields.sort();
                Ok(fields)
            };
            self.answers(&pipeline)
                .await?
                .into_iter()
                .map(sorted)
                .collect()
        })
    }

    fn list<'a>(&'a self, key: &'a Key) -> Answer<'a, Vec<Bytes>> {
        Box::pin(async move {
            let key = self.keys.note(key);
            // Before the look, so that no change after it is taken for that of another key.
            self.lists
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(key.clone());
            let mut items = self.range(key, 0, -1).await?;
            items.reverse();
            Ok(items)
        })
    }

    fn members(&self, set: Members) -> Answer<'_, Vec<String>> {
        Box::pin(async move {
            let members: Vec<Bytes> = self
                .look(self.client.smembers(self.keys.members(set)))
                .await?;
            // What is no text is the name of nothing, and must not hide the others.
            let mut members: Vec<_> = members
                .into_iter()
                .filter_map(|member| String::from_utf8(member.into()).ok())
                .collect();
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
                    overdue: now.since(Timestamp::from_score(deadline / 1e6)),
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
            // One that ended between the two reads has no value; one that cannot be read is named by a check.
            let held = |(token, value): (&String, Option<Bytes>)| decode::held(token, &value?).ok();
            Ok(tokens.iter().zip(values).filter_map(held).collect())
        })
    }

    fn check(&self) -> Answer<'_, Vec<Defect>> {
        Box::pin(self.check_keys())
    }
}

fn entry((payload, score): (Bytes, f64)) -> Entry {
    Entry {
        payload,
        at: Some(Timestamp::from_score(score)),
    }
}

/// A pattern for what contains this text. Of these only `*` fits an entry of no bytes.
fn containing(text: &str) -> String {
    if text.is_empty() {
        return "*".into();
    }
    format!("*{}*", literally(text))
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX / 4)
}
