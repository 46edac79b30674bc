//! The store in Redis or Valkey, in Sidekiq's own layout.
//!
//! Changes are scripts (`lua/`), one round trip each, over one connection. The connection is tracked by the server
//! (`CLIENT TRACKING`): a key that was read is named to it once when it changes, whoever changes it. So a claim that finds
//! nothing is the wake-up for the next push, and an idle process sends nothing.

mod check;
mod connect;
mod decode;
mod encode;
mod inspect;
mod keys;
mod precautions;
mod push;
mod scripts;
mod silence;
#[cfg(test)]
mod tests;
mod tls;
mod url;

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fred::bytes::Bytes;
use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::{Resp3Frame, Value};

use super::wake::Wake;
use super::{
    Answer, Batch, Claim, ClaimRequest, Commit, Defect, Interest, MAX_CLAIM, MAX_EXPIRED, Members,
    Owner, Registration, Renewed, Store, TestClock, Unavailable,
};
use crate::job::Timestamp;
use check::Then;
pub use connect::{ConnectError, RedisOptions};
use decode::Unexpected;
use encode::Encoded;
use keys::Keys;
use scripts::{Script, Scripts};
use silence::Silence;

/// The keys of the lists that were asked for, which are few: only a change of one of these wakes who waits for lists.
type Lists = Mutex<HashSet<Bytes>>;

/// A store in Redis.
pub struct RedisStore {
    client: Client,
    /// The server's address, without a password.
    name: Box<str>,
    keys: Keys,
    scripts: Scripts,
    silence: Silence,
    wake: Arc<Wake>,
    lists: Arc<Lists>,
    clock: Option<TestClock>,
    /// How far the server's clock is ahead of this host's, in microseconds.
    offset: AtomicI64,
    _tasks: connect::Tasks,
}

impl RedisStore {
    /// The time that scripts are given: none, so that they ask Redis, but in tests.
    fn given_time(&self) -> Value {
        self.clock
            .as_ref()
            .map_or(Value::from_static_str(""), |clock| {
                clock().as_micros().into()
            })
    }

    /// The store's time as far as it is known here: whose day a count belongs to.
    fn about_now(&self) -> Timestamp {
        self.clock.as_ref().map_or_else(
            || {
                let here = Timestamp::from_wall_clock().as_micros();
                Timestamp::from_micros(here + self.offset.load(Ordering::Relaxed))
            },
            |clock| clock(),
        )
    }

    async fn call(
        &self,
        script: Script,
        Encoded { keys, args }: Encoded,
    ) -> Result<Resp3Frame, Unavailable> {
        self.ready()?;
        let began = Instant::now();
        let result = self.scripts.call(&self.client, script, keys, args).await;
        self.silence.heard(&self.client, began, &result);
        result.map_err(|error| self.unavailable(error))
    }

    /// A command that is not even sent has certainly not been applied; any other may have been.
    fn ready(&self) -> Result<(), Unavailable> {
        if self.client.is_connected() {
            Ok(())
        } else {
            Err(Unavailable::new(
                self.name.clone(),
                "it is not connected, and tries to connect again",
            )
            .unsent())
        }
    }

    fn unavailable(&self, error: Error) -> Unavailable {
        Unavailable::new(self.name.clone(), error.to_string()).because(error)
    }

    /// An error that the server answered: the script did not run to its end.
    fn unexpected(&self, Unexpected(answer): Unexpected) -> Unavailable {
        Unavailable::new(self.name.clone(), answer)
    }

    fn claim_keys(&self, request: &ClaimRequest) -> Encoded {
        let mut keys = vec![
            self.keys.claims(&request.owner),
            self.keys.members(Members::Paused),
        ];
        let mut args = vec![
            number(request.seq),
            number(request.limit.min(MAX_CLAIM) as u64),
        ];
        for source in &request.sources {
            keys.push(self.keys.queue(&source.queue));
            args.extend([
                number(source.share as u64),
                Value::from(source.queue.to_string()),
            ]);
        }
        Encoded { keys, args }
    }
}

impl Store for RedisStore {
    fn commit<'a>(&'a self, batch: &'a Batch) -> Answer<'a, Commit> {
        Box::pin(async move {
            let (script, encoded) = match push::encode(batch, &self.keys, self.given_time()) {
                Some(encoded) => (Script::Push, encoded),
                None => (
                    Script::Commit,
                    encode::commit(batch, &self.keys, self.about_now(), self.given_time()),
                ),
            };
            let answer = self.call(script, encoded).await?;
            decode::commit(&answer, batch.txs.len()).map_err(|answer| self.unexpected(answer))
        })
    }

    fn claim<'a>(&'a self, request: &'a ClaimRequest) -> Answer<'a, Claim> {
        Box::pin(async move {
            let mut encoded = self.claim_keys(request);
            encoded.args.insert(0, number(request.sources.len() as u64));
            let answer = self.call(Script::Claim, encoded).await?;
            decode::claim(answer, request).map_err(|answer| self.unexpected(answer))
        })
    }

    fn renew<'a>(
        &'a self,
        owner: &'a Owner,
        lease: Duration,
        registration: Registration,
    ) -> Answer<'a, Renewed> {
        Box::pin(async move {
            let first = if registration == Registration::First {
                "1"
            } else {
                "0"
            };
            let args = vec![
                owner.as_str().into(),
                Value::Integer(i64::try_from(lease.as_micros()).unwrap_or(i64::MAX)),
                Value::from_static_str(first),
                number(MAX_EXPIRED as u64),
                self.given_time(),
            ];
            let keys = vec![self.keys.owners(), self.keys.claims(owner)];
            let answer = self.call(Script::Renew, Encoded { keys, args }).await?;
            let renewed = decode::renew(answer).map_err(|answer| self.unexpected(answer))?;
            self.offset
                .store(connect::ahead(renewed.now), Ordering::Relaxed);
            Ok(renewed)
        })
    }

    fn take_over<'a>(
        &'a self,
        owner: &'a Owner,
        seq: u64,
        from: &'a Owner,
        limit: usize,
    ) -> Answer<'a, Claim> {
        Box::pin(async move {
            let args = vec![
                number(seq),
                number(limit.min(MAX_CLAIM) as u64),
                from.as_str().into(),
                self.given_time(),
            ];
            let keys = vec![
                self.keys.owners(),
                self.keys.claims(owner),
                self.keys.claims(from),
            ];
            let answer = self.call(Script::TakeOver, Encoded { keys, args }).await?;
            decode::take_over(answer).map_err(|answer| self.unexpected(answer))
        })
    }

    fn wait<'a>(&'a self, interest: &'a Interest, timeout: Duration) -> Answer<'a, ()> {
        Box::pin(async move {
            self.wake.wait(interest, timeout).await;
            Ok(())
        })
    }

    fn repair<'a>(&'a self, defect: &'a Defect) -> Answer<'a, bool> {
        Box::pin(async move { self.examine(defect, Then::Mend).await })
    }

    fn turn<'a>(
        &'a self,
        batch: &'a Batch,
        request: &'a ClaimRequest,
    ) -> Answer<'a, (Commit, Claim)> {
        Box::pin(async move {
            let commit = encode::commit(batch, &self.keys, self.about_now(), self.given_time());
            let claim = self.claim_keys(request);
            let mut args = vec![
                number(commit.keys.len() as u64),
                number(commit.args.len() as u64),
                number(request.sources.len() as u64),
            ];
            args.extend(commit.args);
            args.extend(claim.args);
            let mut keys = commit.keys;
            keys.extend(claim.keys);
            let answer = self.call(Script::Turn, Encoded { keys, args }).await?;
            decode::turn(answer, batch.txs.len(), request).map_err(|answer| self.unexpected(answer))
        })
    }
}

fn number(n: u64) -> Value {
    Value::Integer(i64::try_from(n).unwrap_or(i64::MAX))
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisStore({})", self.name)
    }
}
