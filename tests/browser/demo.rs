//! What a shop's job system holds on an ordinary day, made of the same random numbers each time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sancho::job::{Timestamp, payload};
use sancho::store::{
    Batch, Effect, End, Key, Lane, Members, Place, Stat, Store, TimedSet, Tx, histogram, keys,
};
use serde_json::{Value, json};

/// A class of jobs, how many of it run in a minute, how many of those fail, and how long one takes, in ms.
const CLASSES: [(&str, u64, u64, u64); 9] = [
    ("WelcomeEmail", 42, 0, 38),
    ("ChargeCard", 9, 1, 412),
    ("SyncInventory", 6, 0, 2_310),
    ("GenerateInvoicePdf", 4, 0, 5_100),
    ("PushNotification", 120, 2, 11),
    ("RebuildSearchIndex", 1, 0, 18_000),
    ("ImportCatalog", 1, 1, 9_500),
    ("UserMailer#digest", 14, 0, 95),
    ("AnalyticsRollup", 3, 0, 1_250),
];

/// A class, its queue, what it fails with, and what that says of `{n}`.
const FAILURES: [(&str, &str, &str, &str); 6] = [
    (
        "ChargeCard",
        "critical",
        "app::payments::CardError::Declined",
        "card declined: insufficient_funds for order {n}",
    ),
    (
        "SyncInventory",
        "default",
        "reqwest::Error",
        "error sending request for url (https://erp.example.com/stock/{n}): operation timed out after 30000 ms",
    ),
    (
        "ImportCatalog",
        "low",
        "csv::Error",
        "CSV error: record {n} (line: {n}, byte: 48213): found record with 7 fields, but the previous record has 9 fields",
    ),
    (
        "PushNotification",
        "default",
        "app::push::ApnsError",
        "BadDeviceToken: device \"{n}f3ac\" is unregistered",
    ),
    (
        "GenerateInvoicePdf",
        "reports",
        "sancho::Panicked",
        "index out of bounds: the len is 3 but the index is 3, at src/invoice/layout.rs:214:17",
    ),
    (
        "WelcomeEmail",
        "mailers",
        "lettre::transport::smtp::Error",
        "connection error: <b>Connection refused</b> (os error 111)",
    ),
];

/// Its processes: host, tag, whether it is quiet.
const PROCESSES: [(&str, &str, bool); 4] = [
    ("web-1.fra", "shop", false),
    ("worker-1.fra", "shop", false),
    ("worker-2.fra", "shop", false),
    ("worker-3.ams", "shop", true),
];

/// What is put into a store.
pub(crate) struct Demo<'a> {
    store: &'a Arc<dyn Store>,
    now: Timestamp,
    random: fastrand::Rng,
    /// Queues, how many jobs wait in each, and how many seconds the first of them has waited.
    queues: &'a [(&'a str, u64, u64)],
    failed: u64,
    scheduled: u64,
    minutes: u64,
}

impl<'a> Demo<'a> {
    /// Something of everything.
    pub(crate) fn small(store: &'a Arc<dyn Store>) -> Self {
        Self {
            store,
            now: Timestamp::from_wall_clock(),
            random: fastrand::Rng::with_seed(7),
            queues: &[
                ("default", 60, 14),
                ("mailers", 130, 3),
                ("critical", 3, 1),
                ("low", 12, 5_400),
                ("exports", 4, 7_000),
            ],
            failed: 72,
            scheduled: 30,
            minutes: 60,
        }
    }

    /// As much as a busy shop has.
    pub(crate) fn large(store: &'a Arc<dyn Store>) -> Self {
        Self {
            queues: &[
                ("default", 1_284, 14),
                ("mailers", 32_410, 3),
                ("critical", 3, 1),
                ("low", 5_472, 5_400),
                ("reports", 17, 400),
                ("exports", 42, 7_000),
            ],
            failed: 312,
            scheduled: 1_203,
            minutes: 480,
            ..Self::small(store)
        }
    }

    pub(crate) async fn fill(mut self) {
        self.metrics().await;
        self.waiting().await;
        self.failures().await;
        self.later().await;
        for index in 0..PROCESSES.len() {
            self.process(index).await;
        }
    }

    /// What has run on the days before, which the clock of the store is moved for.
    pub(crate) async fn history(store: &Arc<dyn Store>, days: u32, set_clock: impl Fn(u32)) {
        let mut random = fastrand::Rng::with_seed(7);
        for day in (0..days).rev() {
            set_clock(day);
            let weekend = if day % 7 < 2 { 21_000 } else { 0 };
            let ran = 40_000 + random.u64(0..18_000) + u64::from(days - day) * 120 - weekend;
            let outage = if day == 12 { 2_600 } else { random.u64(0..120) };
            let effects = vec![
                Effect::Count(Stat::Processed, ran),
                Effect::Count(Stat::Failed, ran / 180 + outage),
            ];
            apply(store, effects).await;
        }
    }

    async fn metrics(&mut self) {
        for minute in 0..self.minutes {
            let at = self.ago(minute * 60).into();
            let mut fields = Vec::new();
            for (class, n, fails, ms) in CLASSES {
                let ran = (n * self.random.u64(60..140) / 100).max(1);
                let failed = if self.random.u64(0..10) < 3 {
                    (fails + ran / 40).min(ran)
                } else {
                    0
                };
                let ms = ran * ms * self.random.u64(70..150) / 100;
                for (name, n) in [("p", ran), ("f", failed), ("ms", ms)] {
                    fields.push((format!("{class}|{name}").into(), n));
                }
            }
            let add = |key: Key| Effect::AddFields {
                key,
                fields: fields.clone(),
                ttl: Duration::from_secs(72 * 3_600),
            };
            let mut effects = vec![add(keys::minute(at)), add(keys::ten_minutes(at))];
            for (class, n, _, ms) in CLASSES {
                let bucket = histogram::BOUNDS_MS.iter().position(|bound| *bound > ms);
                let bucket = u8::try_from(bucket.unwrap()).unwrap();
                let n = u16::try_from(n).unwrap();
                effects.push(Effect::Observe {
                    key: keys::histogram(class, at),
                    counts: vec![(bucket, n), (bucket + 1, n / 2), (bucket + 2, n / 9)],
                    ttl: Duration::from_secs(8 * 3_600),
                });
            }
            self.apply(effects).await;
        }
    }

    async fn waiting(&mut self) {
        for &(queue, n, seconds) in self.queues {
            let mut effects = Vec::new();
            for index in 0..n {
                let class = match queue {
                    "mailers" => "WelcomeEmail",
                    "reports" => "GenerateInvoicePdf",
                    "critical" => "ChargeCard",
                    "low" => "RebuildSearchIndex",
                    "exports" => "AnalyticsRollup",
                    _ => CLASSES[self.random.usize(..CLASSES.len())].0,
                };
                let at = self.ago(seconds * (n - index) / n);
                let tags = if index % 7 == 0 {
                    json!(["vip"])
                } else {
                    json!([])
                };
                let more = json!({"enqueued_at": at.as_millis(), "tags": tags});
                let payload = self.payload(class, queue, seconds, &more);
                let place = Place::Queue {
                    name: queue.into(),
                    end: End::Tail,
                };
                effects.push(Effect::Put(payload, place));
            }
            for part in effects.chunks(500) {
                self.apply(part.to_vec()).await;
            }
        }
        self.apply(vec![Effect::Join(Members::Paused, "low".into())])
            .await;
    }

    async fn failures(&mut self) {
        let frames = [
            "src/payments/charge.rs:88:21 in app::payments::charge",
            "src/payments/mod.rs:31 in app::payments::ChargeCard",
            "src/worker.rs:12",
        ];
        let backtrace = payload::write_backtrace(&frames.map(String::from));
        let mut effects = Vec::new();
        for index in 0..self.failed {
            let which = usize::try_from(index * index % 11 % 6).unwrap();
            let (class, queue, error, message) = FAILURES[which];
            let n = self.random.u32(1_000..99_999).to_string();
            let more = json!({
                "error_class": error, "error_message": message.replace("{n}", &n), "retry_count": index % 9,
                "failed_at": self.ago(3_000 + index * 91).as_millis(), "retried_at": self.ago(100 + index * 13).as_millis(),
                "enqueued_at": self.ago(100 + index * 14).as_millis(), "cattr": {"tenant": "acme"}, "error_backtrace": backtrace,
            });
            let payload = self.payload(class, queue, 90_000 + index * 91, &more);
            let (set, at) = if index % 6 == 5 {
                (TimedSet::Dead, self.ago(index * 331))
            } else {
                // Nothing comes due while a test looks.
                (
                    TimedSet::Retry,
                    self.now.after(Duration::from_secs(600 + index * 47)),
                )
            };
            effects.push(Effect::Put(payload, Place::Timed { set, at }));
        }
        let place = Place::Timed {
            set: TimedSet::Dead,
            at: self.ago(50),
        };
        let hostile = Bytes::from_static(b"{bad <script>alert(1)</script> json");
        effects.push(Effect::Put(hostile, place));
        self.apply(effects).await;
    }

    async fn later(&mut self) {
        let mut effects = Vec::new();
        for index in 0..self.scheduled {
            let (class, ..) = CLASSES[usize::try_from(index % 9).unwrap()];
            let seconds = Duration::from_secs(600 + index * index / 9);
            let place = Place::Timed {
                set: TimedSet::Schedule,
                at: self.now.after(seconds),
            };
            let payload = self.payload(class, "default", 4_000, &json!({}));
            effects.push(Effect::Put(payload, place));
        }
        self.apply(effects).await;
    }

    async fn process(&mut self, index: usize) {
        let (host, tag, quiet) = PROCESSES[index];
        let n = u64::try_from(index).unwrap();
        let identity = format!(
            "{host}:{}:{:012x}",
            4_100 + n * 17,
            self.random.u64(..) >> 16
        );
        let (concurrency, queues) = if index == 0 {
            (5, json!(["critical"]))
        } else {
            (
                25,
                json!(["critical", "default", "mailers", "low", "reports"]),
            )
        };
        let busy = if quiet { 2 } else { 3 + n * 7 };
        let info = json!({
            "hostname": host, "pid": 4_100 + n * 17, "tag": tag, "concurrency": concurrency, "queues": queues, "labels": ["v412"],
            "identity": identity, "version": "8.1.2", "embedded": index == 0, "started_at": self.ago(86_400 + 3_600 * n).as_score(),
        });
        // It beats once, so it is to be fresh for as long as a test looks.
        let beat = self.now.after(Duration::from_secs(30)).as_score();
        let fields = [
            ("info", info.to_string()),
            ("busy", busy.to_string()),
            ("concurrency", concurrency.to_string()),
            ("beat", beat.to_string()),
            ("quiet", quiet.to_string()),
            ("rss", (212_000 + n * 31_000).to_string()),
            ("rtt_us", (180 + n * 77).to_string()),
        ];
        let work = (0..busy).map(|slot| {
            let class = CLASSES[usize::try_from((n * 3 + slot * 2) % 9).unwrap()].0;
            let payload = self.payload(class, "default", 30, &json!({}));
            let since = self.ago(slot * slot * 3 + 1).as_micros() / 1_000_000;
            let value = json!({"queue": "default", "payload": String::from_utf8_lossy(&payload), "run_at": since});
            (format!("t{n}{slot}"), value.to_string())
        });
        let work: Vec<_> = work.collect();
        self.apply(vec![
            Effect::Join(Members::Processes, identity.as_str().into()),
            hash(
                keys::process(&identity),
                fields.map(|(name, value)| (name.to_owned(), value)),
            ),
            hash(keys::work(&identity), work),
        ])
        .await;
    }

    fn payload(&mut self, class: &str, queue: &str, seconds: u64, more: &Value) -> Bytes {
        let n = self.random.u32(1_000..90_000);
        let args = match class {
            "WelcomeEmail" => json!([n, "ada@example.com", "pro"]),
            "ChargeCard" => {
                json!([{"order": n, "amount_cents": 4_990, "currency": "EUR", "card": {"token": "tok_1N3x", "last4": "4242"}}])
            }
            "GenerateInvoicePdf" => json!([n, {"locale": "de", "copies": [1, 2]}]),
            "SyncInventory" => json!(["warehouse-7", 250]),
            _ => json!([n]),
        };
        let jid = format!("{:024x}", self.random.u128(..) >> 32);
        let mut job = json!({
            "class": class, "args": args, "jid": jid, "queue": queue, "retry": true, "created_at": self.ago(seconds).as_millis(),
        });
        for (name, value) in more.as_object().unwrap() {
            job[name] = value.clone();
        }
        job.to_string().into()
    }

    fn ago(&self, seconds: u64) -> Timestamp {
        self.now.before(Duration::from_secs(seconds))
    }

    async fn apply(&self, effects: Vec<Effect>) {
        apply(self.store, effects).await;
    }
}

/// Lets effects happen, one transaction each.
pub(crate) async fn apply(store: &Arc<dyn Store>, effects: Vec<Effect>) {
    let batch = Batch {
        lane: Lane::random(),
        seq: 1,
        txs: effects
            .into_iter()
            .map(|effect| Tx::always(vec![effect]))
            .collect(),
    };
    store.commit(&batch).await.unwrap();
}

fn hash(key: Key, fields: impl IntoIterator<Item = (String, String)>) -> Effect {
    let field = |(name, value): (String, String)| (name.into(), Bytes::from(value));
    Effect::SetFields {
        key,
        fields: fields.into_iter().map(field).collect(),
        ttl: None,
    }
}
