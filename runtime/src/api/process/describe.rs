//! Reading the hash that describes a process: in 6 and 7 all that does not change stands in `info`, since 8.1.2 `concurrency` is
//! a field.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Capsule, Process};
use crate::engine::cleanup;
use crate::job::Timestamp;
use crate::store::Fields;

/// What does not change while a process runs. A field of a type that nobody expects is as if it was not there.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Info {
    #[serde(deserialize_with = "lenient")]
    hostname: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pid: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    tag: Option<String>,
    #[serde(deserialize_with = "lenient")]
    labels: Option<Vec<String>>,
    #[serde(deserialize_with = "lenient")]
    queues: Option<Vec<String>>,
    #[serde(deserialize_with = "lenient")]
    weights: Option<Weights>,
    #[serde(deserialize_with = "lenient")]
    capsules: Option<Ordered<CapsuleInfo>>,
    #[serde(deserialize_with = "lenient")]
    concurrency: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    version: Option<String>,
    #[serde(deserialize_with = "lenient")]
    embedded: Option<bool>,
    #[serde(deserialize_with = "lenient")]
    started_at: Option<Box<RawValue>>,
}

/// A map by capsule; the first 7 had one map.
#[derive(Deserialize)]
#[serde(untagged)]
enum Weights {
    Each(Vec<Ordered<u64>>),
    One(Ordered<u64>),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CapsuleInfo {
    concurrency: u64,
    mode: String,
    weights: Ordered<u64>,
}

/// A map in the order in which it is written.
struct Ordered<T>(Vec<(String, T)>);

impl Process {
    pub(super) fn read(identity: &str, fields: &Fields) -> Self {
        let field = |name: &str| {
            let found = fields.iter().find(|(field, _)| field == name);
            found.map(|(_, value)| value)
        };
        let number = |name: &str| field(name).and_then(number::<u64>);
        let info: Info = field(cleanup::INFO)
            .and_then(|info| serde_json::from_slice(info).ok())
            .unwrap_or_default();
        // `host:pid:random`, and the host may have colons.
        let mut parts = identity.rsplitn(3, ':').skip(1);
        let (pid, host) = (parts.next(), parts.next());
        Self {
            identity: identity.to_owned(),
            hostname: info
                .hostname
                .unwrap_or_else(|| host.unwrap_or_default().to_owned()),
            pid: info.pid.or_else(|| pid?.parse().ok()).unwrap_or_default(),
            tag: info.tag.unwrap_or_default(),
            labels: info.labels.unwrap_or_default(),
            queues: info.queues.unwrap_or_default(),
            weights: match info.weights {
                Some(Weights::Each(each)) => each.into_iter().map(|one| one.0).collect(),
                Some(Weights::One(one)) => vec![one.0],
                None => Vec::new(),
            },
            capsules: capsules(info.capsules),
            concurrency: number("concurrency")
                .or(info.concurrency)
                .unwrap_or_default(),
            version: info.version,
            embedded: info.embedded.unwrap_or_default(),
            // Parsed here to the last digit, which serde_json does not.
            started_at: info
                .started_at
                .and_then(|json| json.get().parse().ok())
                .map(Timestamp::from_score),
            beat: field("beat")
                .and_then(self::number::<f64>)
                .map(Timestamp::from_score),
            busy: number("busy").unwrap_or_default(),
            stuck: number("stuck").unwrap_or_default(),
            rss_kb: number("rss").unwrap_or_default(),
            rtt_us: number("rtt_us").unwrap_or_default(),
            quiet: field("quiet").is_some_and(|quiet| &quiet[..] == b"true"),
            leader: false,
        }
    }
}

fn capsules(capsules: Option<Ordered<CapsuleInfo>>) -> Vec<Capsule> {
    let capsule = |(name, info): (String, CapsuleInfo)| Capsule {
        name,
        concurrency: info.concurrency,
        mode: info.mode,
        weights: info.weights.0,
    };
    let capsules = capsules.into_iter().flat_map(|capsules| capsules.0);
    capsules.map(capsule).collect()
}

fn number<T: std::str::FromStr>(text: &Bytes) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn lenient<'a, T: DeserializeOwned, D: Deserializer<'a>>(json: D) -> Result<Option<T>, D::Error> {
    let json = <&RawValue>::deserialize(json)?;
    Ok(serde_json::from_str(json.get()).ok())
}

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'a, T: Deserialize<'a>> Deserialize<'a> for Ordered<T> {
    fn deserialize<D: Deserializer<'a>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(Pairs(PhantomData))
    }
}

struct Pairs<T>(PhantomData<T>);

impl<'a, T: Deserialize<'a>> Visitor<'a> for Pairs<T> {
    type Value = Ordered<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Ordered(pairs))
    }
}
