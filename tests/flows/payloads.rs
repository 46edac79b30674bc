//! Any payload that Ruby could write goes through fetch, fail, promotion, kill and back, and differs only in the fields that
//! Sidekiq would have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use proptest::test_runner::{Config, TestRunner};
use sancho::job;
use sancho::job::payload::{Edit, read_backtrace, ruby_float, splice};
use sancho::store::{Effect, End, Place, TimedSet};
use sancho_tests::Kind;

use crate::harness::{Flow, Running, fields, flows};

#[job]
async fn nobody_pushes_this() {}

/// Where retries go, and nobody takes them from.
const PARKED: &str = "parked";

/// A payload as it was made: keys and the JSON text of their values, in order, keys more than once.
#[derive(Clone, Debug)]
struct Made {
    fields: Vec<(String, String)>,
    /// What stands between tokens, and how keys are written.
    style: Style,
}

#[derive(Clone, Debug)]
struct Style {
    blank: &'static str,
    /// Which keys have one character written as an escape.
    escaped: Vec<Index>,
}

impl Made {
    fn text(&self) -> String {
        let blank = self.style.blank;
        let escaped: BTreeSet<_> = self
            .style
            .escaped
            .iter()
            .map(|index| index.index(self.fields.len()))
            .collect();
        let fields = self.fields.iter().enumerate().map(|(index, (key, value))| {
            let key = if escaped.contains(&index) {
                escape(key)
            } else {
                quoted(key)
            };
            format!("{blank}{key}{blank}:{blank}{value}{blank}")
        });
        let fields: Vec<_> = fields.collect();
        format!("{blank}{{{}}}{blank}", fields.join(","))
    }
}

/// JSON as Ruby writes a string.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// The same, with its first character as an escape.
fn escape(text: &str) -> String {
    let Some(first) = text.chars().next() else {
        return quoted(text);
    };
    let mut units = [0; 2];
    let first_escaped: String = first
        .encode_utf16(&mut units)
        .iter()
        .map(|unit| format!("\\u{unit:04x}"))
        .collect();
    let rest = quoted(&text[first.len_utf8()..]);
    format!("\"{first_escaped}{}", &rest[1..])
}

/// The JSON text of any value that Ruby could write.
fn value() -> impl Strategy<Value = String> {
    let plain = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        "0|-?[1-9][0-9]{0,40}",
        any::<f64>()
            .prop_filter("Ruby writes no others", |float| float.is_finite())
            .prop_map(ruby_float),
        any::<String>().prop_map(|text| quoted(&text)),
        "[{}\\[\\]\",:\\\\ ]{0,6}".prop_map(|text| quoted(&text)),
    ];
    plain.prop_recursive(4, 24, 4, |inner| {
        let array = proptest::collection::vec(inner.clone(), 0..4)
            .prop_map(|values| format!("[{}]", values.join(",")));
        let object = proptest::collection::vec((any::<String>(), inner), 0..4).prop_map(|fields| {
            let fields = fields
                .iter()
                .map(|(key, value)| format!("{}:{value}", quoted(key)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        });
        prop_oneof![array, object]
    })
}

fn time() -> impl Strategy<Value = String> {
    prop_oneof![
        (1_600_000_000_000_i64..1_795_000_000_000).prop_map(|millis| millis.to_string()),
        (1.6e9..1.795e9).prop_map(ruby_float),
    ]
}

/// The fields that Sidekiq knows, but those that every payload has.
fn known() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let retry = prop_oneof![
        Just("true".to_owned()),
        Just("null".to_owned()),
        (50_u32..1_000).prop_map(|times| times.to_string()),
    ];
    let backtrace = prop_oneof![
        Just("true".to_owned()),
        Just("false".to_owned()),
        (0_u32..3).prop_map(|lines| lines.to_string()),
    ];
    let tags = proptest::collection::vec("[a-z]{0,5}", 0..3)
        .prop_map(|tags| serde_json::to_string(&tags).unwrap());
    let all = (
        (retry, backtrace, tags, "[a-z]{1,9}", any::<bool>()),
        (time(), time(), time(), time(), 0_u32..5),
        (any::<String>(), any::<String>(), value(), value()),
    )
        .prop_map(|(options, times, errors)| {
            let (retry, backtrace, tags, queue, dead) = options;
            let (created_at, enqueued_at, failed_at, retried_at, count) = times;
            let (message, class, error_backtrace, cattr) = errors;
            vec![
                ("retry", retry),
                ("backtrace", backtrace),
                ("tags", tags),
                ("queue", quoted(&queue)),
                ("dead", dead.to_string()),
                ("created_at", created_at),
                ("enqueued_at", enqueued_at),
                ("failed_at", failed_at),
                ("retried_at", retried_at),
                ("retry_count", count.to_string()),
                ("error_message", quoted(&message)),
                ("error_class", quoted(&class)),
                ("error_backtrace", error_backtrace),
                ("cattr", cattr),
                ("wrapped", quoted(&queue)),
                ("bid", quoted("vTF1-9QvLPnREQ")),
                ("at", "1795469264.5".to_owned()),
            ]
        });
    all.prop_flat_map(|all| subsequence(all.clone(), 0..=all.len()))
}

fn payload() -> impl Strategy<Value = Made> {
    let unknown = proptest::collection::vec((any::<String>(), value()), 0..6);
    let twice = proptest::collection::vec(any::<Index>(), 0..3);
    let style = (
        prop_oneof![4 => Just(""), 1 => Just(" "), 1 => Just("\n\t")],
        proptest::collection::vec(any::<Index>(), 0..4),
    )
        .prop_map(|(blank, escaped)| Style { blank, escaped });
    let args = proptest::collection::vec(value(), 0..4);
    (known(), unknown, args, twice, style)
        .prop_flat_map(|(known, unknown, args, twice, style)| {
            let mut fields: Vec<_> = known
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .chain(unknown)
                .collect();
            fields.push(("class".into(), quoted("Ruby::Job")));
            fields.push(("args".into(), format!("[{}]", args.join(","))));
            fields.push(("retry_queue".into(), quoted(PARKED)));
            // An earlier value of an equal key does not count.
            let doubles: Vec<_> = twice
                .iter()
                .map(|index| (fields[index.index(fields.len())].0.clone(), "7".to_owned()))
                .collect();
            (Just(doubles), Just(fields).prop_shuffle(), Just(style))
        })
        .prop_map(|(mut doubles, fields, style)| {
            doubles.extend(fields);
            Made {
                fields: doubles,
                style,
            }
        })
}

/// What counts of each key.
fn effective(fields: &[(String, String)]) -> BTreeMap<&str, &str> {
    fields
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect()
}

/// That `after` is `before` with these fields set, those removed, and nothing else changed or moved.
fn differs_in(
    before: &[u8],
    after: &[u8],
    set: &[(&str, Option<String>)],
    removed: &[&str],
) -> Result<(), TestCaseError> {
    let (before, after) = (fields(before), fields(after));
    let mut keys: Vec<&str> = before
        .iter()
        .map(|(key, _)| key.as_str())
        .filter(|key| !removed.contains(key))
        .collect();
    for (key, _) in set {
        if !keys.contains(key) {
            keys.push(key);
        }
    }
    let keys_after: Vec<_> = after.iter().map(|(key, _)| key.as_str()).collect();
    prop_assert_eq!(keys_after, keys);
    let (was, is) = (effective(&before), effective(&after));
    for (key, value) in &is {
        match set.iter().find(|(name, _)| name == key) {
            Some((_, Some(expected))) => prop_assert_eq!(value, expected, "{}", key),
            Some((_, None)) => {}
            None => prop_assert_eq!(Some(value), was.get(key), "{}", key),
        }
    }
    Ok(())
}

/// What a failure of a job of an unknown class changes, in Sidekiq's order.
fn failure(before: &[u8], now: i64) -> Vec<(&'static str, Option<String>)> {
    let all = fields(before);
    let was = effective(&all);
    let count = was
        .get("retry_count")
        .map(|count| count.parse::<i64>().unwrap());
    let mut set = vec![
        ("queue", Some(quoted(PARKED))),
        ("error_message", None),
        ("error_class", Some(quoted("sancho::UnknownClass"))),
        (
            if count.is_some() {
                "retried_at"
            } else {
                "failed_at"
            },
            Some(now.to_string()),
        ),
        (
            "retry_count",
            Some(count.map_or(0, |count| count + 1).to_string()),
        ),
    ];
    if was.get("backtrace").is_some_and(|value| *value != "false") {
        set.push(("error_backtrace", None));
    }
    set
}

fn jid_of(payload: &[u8]) -> String {
    let all = fields(payload);
    effective(&all)["jid"].to_owned()
}

/// The payloads of a set by their ids.
async fn by_jid(flow: &Flow, set: TimedSet, count: usize) -> BTreeMap<String, Vec<u8>> {
    let entries = flow.until_timed(set, count).await;
    entries
        .into_iter()
        .map(|entry| (jid_of(&entry.payload), entry.payload.to_vec()))
        .collect()
}

/// Takes payloads through the life of a job that fails.
async fn live(kind: Kind, made: &[Made]) -> Result<(), TestCaseError> {
    let flow = Flow::on(kind).await;
    let mut pushed = BTreeMap::new();
    for (index, made) in made.iter().enumerate() {
        let mut made = made.clone();
        let jid = quoted(&format!("job {index}"));
        made.fields.push(("jid".into(), jid.clone()));
        let text = made.text();
        flow.push_raw("default", text.as_bytes()).await;
        pushed.insert(jid, text.into_bytes());
    }
    let running = Running::start(flow.server().0.only::<nobody_pushes_this>());

    // It fails.
    let failed = by_jid(&flow, TimedSet::Retry, made.len()).await;
    for (jid, before) in &pushed {
        let after = &failed[jid];
        let set = failure(before, flow.now().as_millis());
        differs_in(before, after, &set, &[])?;
        let all = fields(after);
        let is = effective(&all);
        if set.iter().any(|(key, _)| *key == "error_backtrace") {
            let packed: String = serde_json::from_str(is["error_backtrace"]).unwrap();
            prop_assert!(read_backtrace(&packed).is_some());
        }
    }

    // It is killed, as the data API does it.
    for payload in failed.values() {
        let at = flow.now();
        let set = TimedSet::Dead;
        let put = Effect::Put(payload.clone().into(), Place::Timed { set, at });
        let take = Effect::Take(TimedSet::Retry.into(), payload.clone().into());
        flow.apply(vec![put, take]).await;
    }
    let dead = by_jid(&flow, TimedSet::Dead, made.len()).await;
    prop_assert_eq!(&dead, &failed);

    // It is tried again by hand: one failure less, and back into a queue; and fails again.
    flow.pass(Duration::from_secs(5));
    let now = flow.now().as_millis();
    let mut tried = BTreeMap::new();
    for (jid, payload) in &dead {
        let all = fields(payload);
        let count: i64 = effective(&all)["retry_count"].parse().unwrap();
        let edits = [
            Edit::integer("retry_count", count - 1),
            Edit::integer("enqueued_at", now),
        ];
        let again = splice(payload, &edits).unwrap();
        let set = [
            ("retry_count", Some((count - 1).to_string())),
            ("enqueued_at", Some(now.to_string())),
        ];
        differs_in(payload, &again, &set, &[])?;
        let place = Place::Queue {
            name: "default".into(),
            end: End::Tail,
        };
        let put = Effect::Put(again.clone().into(), place);
        let take = Effect::Take(TimedSet::Dead.into(), payload.clone().into());
        flow.apply(vec![put, take]).await;
        tried.insert(jid.clone(), again);
    }
    let failed = by_jid(&flow, TimedSet::Retry, made.len()).await;
    for (jid, before) in &tried {
        differs_in(before, &failed[jid], &failure(before, now), &[])?;
    }

    // It is due.
    flow.pass(Duration::from_secs(3_600));
    flow.wake_promoter().await;
    flow.until("all are in their queue", || async {
        flow.queue(PARKED).await.len() == made.len()
    })
    .await;
    for payload in flow.queue(PARKED).await {
        let before = &failed[&jid_of(payload.as_bytes())];
        let set = [("enqueued_at", Some(flow.now().as_millis().to_string()))];
        differs_in(before, payload.as_bytes(), &set, &["at"])?;
    }
    running.stop().await;
    Ok(())
}

async fn only_what_sidekiq_would_change_is_changed(kind: Kind) {
    // A store on a disk or behind a socket adds little to what is true in memory.
    let cases = if kind == Kind::Memory { 64 } else { 8 };
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let here = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        TestRunner::new(config)
            .run(&proptest::collection::vec(payload(), 1..8), |made| {
                here.block_on(live(kind, &made))
            })
            .unwrap();
    });
}

flows! { of kind
    only_what_sidekiq_would_change_is_changed
}
