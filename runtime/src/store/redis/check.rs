//! What can be wrong with keys.
//!
//! A key is looked at with plain reads, page by page. What looks wrong is looked at again by a script, in one moment, before it is
//! named; the same script mends it, so nothing can come between the two.

use fred::bytes::Bytes;
use fred::interfaces::{ClientLike, KeysInterface, SetsInterface, SortedSetsInterface};
use fred::types::sorted_sets::ZSort;
use fred::types::{CustomCommand, Value};

use super::encode::Encoded;
use super::scripts::Script;
use super::{RedisStore, decode, number};
use crate::store::{
    Defect, DefectKind, MAX_DEFECTS, Members, Owner, RECEIPT_TTL, Stat, TimedSet, Unavailable,
};

/// How many keys are looked at in one step.
const STEP: u64 = 1_000;

/// How long an owner is registered whose claims were lost: the lease of an engine, within which one that lives renews it.
const LEASE_MICROS: u64 = 12_000_000;

const QUEUE: &[u8] = b"queue:";
const OWNERS: &[u8] = b"sancho:owners";
const CLAIMS: &[u8] = b"sancho:claims:";
const RECEIPT: &[u8] = b"sancho:receipt:";
const ASIDE: &str = "sancho:aside:";

/// What a second look is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Tell,
    Mend,
}

impl RedisStore {
    pub(super) async fn check_keys(&self) -> Result<Vec<Defect>, Unavailable> {
        let mut found = Vec::new();
        let mut cursor = String::from("0");
        loop {
            let (next, keys) = self.some_keys(cursor).await?;
            for suspect in self.suspects(keys).await? {
                self.confirm(suspect, &mut found).await?;
            }
            if next == "0" || found.len() >= MAX_DEFECTS {
                break;
            }
            cursor = next;
        }
        for suspect in self.lost_owners(&found).await? {
            self.confirm(suspect, &mut found).await?;
        }
        Ok(found)
    }

    /// Some of the keys that are ours or Sidekiq's, in no order. A key may come twice.
    async fn some_keys(&self, cursor: String) -> Result<(String, Vec<Bytes>), Unavailable> {
        let mut args: Vec<Value> = vec![cursor.into(), "COUNT".into(), number(STEP)];
        if !self.keys.0.is_empty() {
            args.extend(["MATCH".into(), self.keys.pattern().into()]);
        }
        let scan = CustomCommand::new_static("SCAN", self.keys.slot(), false);
        let (next, mut keys): (String, Vec<Bytes>) =
            self.look(self.client.custom(scan, args)).await?;
        keys.retain(|key| self.type_of(key).is_some());
        Ok((next, keys))
    }

    /// The type that a key must have, where it is one of those that this store reads.
    fn type_of(&self, key: &[u8]) -> Option<&'static str> {
        let bare = key.strip_prefix(self.keys.0.as_bytes())?;
        let is_set = Members::ALL.iter().any(|set| bare == set.name().as_bytes());
        let is_timed = TimedSet::ALL
            .iter()
            .any(|set| bare == set.name().as_bytes());
        let is_counter = Stat::ALL.iter().any(|stat| {
            let rest = bare.strip_prefix(stat.name().as_bytes());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b":"))
        });
        Some(match bare {
            _ if is_set => "set",
            _ if is_timed => "zset",
            _ if is_counter => "string",
            OWNERS => "zset",
            _ if bare.starts_with(QUEUE) => "list",
            _ if bare.starts_with(CLAIMS) => "hash",
            _ if bare.starts_with(RECEIPT) => "string",
            _ => return None,
        })
    }

    async fn suspects(&self, keys: Vec<Bytes>) -> Result<Vec<Defect>, Unavailable> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let pipeline = self.client.pipeline();
        let ask = async {
            for key in &keys {
                let r#type = CustomCommand::new_static("TYPE", None, false);
                let () = pipeline.custom(r#type, vec![key.clone()]).await?;
                let bare = self.keys.bare(key);
                if let Some(name) = bare.strip_prefix(QUEUE) {
                    let queues = self.keys.members(Members::Queues);
                    let () = pipeline.sismember(queues, Value::from(name)).await?;
                } else if let Some(owner) = bare.strip_prefix(CLAIMS) {
                    let owners = self.keys.owners();
                    let () = pipeline.zscore(owners, Value::from(owner)).await?;
                } else {
                    let () = pipeline.pttl(key.clone()).await?;
                }
            }
            Ok(())
        };
        self.look(ask).await?;
        let mut answers = self.answers(&pipeline).await?.into_iter();
        let mut suspects = Vec::new();
        for key in keys {
            let found: String = self.read(answers.next())?.unwrap_or_default();
            let about = answers.next().unwrap_or(Value::Null);
            let expected = self.type_of(&key).unwrap_or_default();
            let bare = self.keys.bare(&key);
            if found == "none" {
                continue;
            }
            if found != expected {
                let text = format!("it holds a {found} where a {expected} belongs");
                suspects.push(Defect::new(DefectKind::WrongType, key, text));
            } else if bare.starts_with(QUEUE) {
                if about.as_i64() == Some(0) {
                    let text = "it holds jobs, and is not in the set of queues";
                    let name = key.slice(key.len() - bare.len() + QUEUE.len()..);
                    suspects.push(Defect::new(DefectKind::UnlistedQueue, name, text));
                }
            } else if bare.starts_with(CLAIMS) {
                if about.is_null() {
                    let text = "its owner is not registered";
                    let owner = key.slice(key.len() - bare.len() + CLAIMS.len()..);
                    suspects.push(Defect::new(DefectKind::LostClaims, owner, text));
                }
                suspects.extend(self.unreadable(&key).await?);
            } else if bare.starts_with(RECEIPT) && about.as_i64() == Some(-1) {
                let text = "it has no time to live";
                suspects.push(Defect::new(DefectKind::LastingReceipt, key, text));
            }
        }
        Ok(suspects)
    }

    async fn unreadable(&self, claims: &Bytes) -> Result<Vec<Defect>, Unavailable> {
        let encoded = Encoded {
            keys: vec![claims.clone()],
            args: vec![number(MAX_DEFECTS as u64)],
        };
        let answer = self.call(Script::Unreadable, encoded).await?;
        let fields = decode::items(answer).map_err(|odd| self.unexpected(odd))?;
        let text = "it has not the form of a claim";
        let unreadable = fields.into_iter().map(|part| Defect {
            part,
            ..Defect::new(DefectKind::UnreadableClaim, claims.clone(), text)
        });
        Ok(unreadable.collect())
    }

    /// Registered owners without claims; not where their claims are of another type.
    async fn lost_owners(&self, found: &[Defect]) -> Result<Vec<Defect>, Unavailable> {
        let is_odd = |key: &Bytes| {
            let wrong = |defect: &Defect| defect.kind == DefectKind::WrongType;
            found
                .iter()
                .any(|defect| wrong(defect) && defect.subject == *key)
        };
        if is_odd(&self.keys.owners()) {
            return Ok(Vec::new());
        }
        let now = self.now().await?;
        let owners = self.keys.owners();
        let mut living: Vec<(String, f64)> = self
            .look(
                self.client
                    .zrange(owners, 0, -1, None::<ZSort>, false, None, true),
            )
            .await?;
        living.retain(|(_, deadline)| !decode::left(*deadline, now).is_zero());
        let pipeline = self.client.pipeline();
        let ask = async {
            for (owner, _) in &living {
                let claims = self.keys.claims(&Owner::from_text(owner));
                let () = pipeline.exists(claims).await?;
            }
            Ok(())
        };
        self.look(ask).await?;
        let answers = self.answers(&pipeline).await?;
        let lost = living
            .iter()
            .zip(answers)
            .filter_map(|((owner, _), answer)| {
                let text = "its lease runs, and nothing of it is kept";
                (answer.as_i64() == Some(0))
                    .then(|| Defect::new(DefectKind::LostOwner, owner.clone(), text))
            });
        Ok(lost.collect())
    }

    async fn confirm(&self, suspect: Defect, found: &mut Vec<Defect>) -> Result<(), Unavailable> {
        // A key may come twice.
        if !found.contains(&suspect) && self.examine(&suspect, Then::Tell).await? {
            found.push(suspect);
        }
        Ok(())
    }

    /// Whether it is so, in this moment; mends it in the same moment where that is asked for.
    pub(super) async fn examine(&self, defect: &Defect, then: Then) -> Result<bool, Unavailable> {
        let subject = &defect.subject;
        let text = || String::from_utf8_lossy(subject);
        let (keys, args): (Vec<Bytes>, Vec<Value>) = match defect.kind {
            DefectKind::UnlistedQueue => (
                vec![
                    self.keys.joined(QUEUE, subject),
                    self.keys.members(Members::Queues),
                ],
                vec![subject.clone().into()],
            ),
            DefectKind::WrongType => {
                let Some(expected) = self.type_of(subject) else {
                    return Ok(false);
                };
                let aside = format!("{ASIDE}{}:", crate::job::random_hex());
                let aside = self.keys.joined(aside.as_bytes(), self.keys.bare(subject));
                (vec![subject.clone(), aside], vec![expected.into()])
            }
            DefectKind::LostOwner => (
                vec![
                    self.keys.owners(),
                    self.keys.claims(&Owner::from_text(&text())),
                ],
                vec![subject.clone().into(), self.given_time()],
            ),
            DefectKind::LostClaims => (
                vec![self.keys.owners(), self.keys.joined(CLAIMS, subject)],
                vec![
                    subject.clone().into(),
                    self.given_time(),
                    number(LEASE_MICROS),
                ],
            ),
            DefectKind::UnreadableClaim => (
                vec![subject.clone(), self.keys.timed(TimedSet::Dead)],
                vec![defect.part.clone().into(), self.given_time()],
            ),
            DefectKind::LastingReceipt => {
                let ttl = u64::try_from(RECEIPT_TTL.as_millis()).unwrap_or(u64::MAX);
                (vec![subject.clone()], vec![number(ttl)])
            }
            DefectKind::LostPayloads | DefectKind::Corrupt => return Ok(false),
        };
        let mut all: Vec<Value> = vec![
            defect.kind.name().into(),
            if then == Then::Mend { "1" } else { "0" }.into(),
        ];
        all.extend(args);
        let answer = self
            .call(Script::Examine, Encoded { keys, args: all })
            .await?;
        decode::yes(answer).map_err(|odd| self.unexpected(odd))
    }
}
