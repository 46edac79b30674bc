//! What is done with hostile bytes: the bodies of the fuzz targets, which the tests run over the corpus.

use std::fmt;

use bytes::Bytes;
use sancho::api::JobRecord;
use sancho::client::StoreUrl;
use sancho::job::payload::{
    Edit, Fields, NewJob, Record, nesting, read_backtrace, read_time, splice, write_backtrace,
};
use sancho::job::{ArgInfo, Args, GlobalId, Timestamp, check_queue_name};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

#[path = "../macros/src/cron.rs"]
mod cron_of_macro;
#[path = "../macros/src/duration.rs"]
mod duration;

/// A target by its name.
pub(crate) fn named(target: &str) -> fn(&[u8]) {
    match target {
        "payload" => payload,
        "arguments" => arguments,
        "texts" => texts,
        "doctor" => doctor,
        "cron" => cron,
        "config" => config,
        other => panic!("{other} is no target"),
    }
}

/// The names of the targets.
pub(crate) const TARGETS: [&str; 6] = ["payload", "arguments", "texts", "doctor", "cron", "config"];

/// A payload is read, and edited. The first byte chooses the edits.
pub(crate) fn payload(data: &[u8]) {
    let Some((choice, payload)) = data.split_first() else {
        return;
    };
    let edits = edits(*choice);
    let record = Record::parse(Bytes::copy_from_slice(payload)).ok();
    let edited = splice(payload, &edits);
    let _ = nesting(payload);
    let shown = JobRecord::read(Bytes::copy_from_slice(payload));
    let _ = (shown.problem(), shown.display_class(), shown.text());
    if shown.problem().is_none() {
        let args = shown.display_args();
        let is_wrapped = shown.class().ends_with("Wrapper");
        let given = shown.args().map(serde_json::from_str::<Vec<&RawValue>>);
        if let (false, Some(Ok(given))) = (is_wrapped, given) {
            assert_eq!(args.len(), given.len(), "{args:?}");
        }
    }
    if let Some(fields) = Fields::read(payload) {
        ask(&fields);
        assert!(edited.is_some(), "an object can be edited");
    }
    assert!(record.is_none() || edited.is_some(), "a job can be edited");
    let Some(edited) = edited else { return };
    serde_json::from_slice::<&RawValue>(&edited).expect("what was edited is JSON");
    let again = splice(&edited, &edits).expect("what was edited can be edited");
    assert_eq!(again, edited, "the same edits twice are the same as once");
    if let Some(record) = record {
        let again = Record::parse(edited.clone().into()).expect("a job that was edited is one");
        assert_eq!(again.class(), record.class());
        assert_eq!(again.args(), record.args());
    }
    if let (Ok(before), Ok(after)) = (object(payload), object(&edited)) {
        let others = |object: &Object<'_>| -> Vec<(String, String)> {
            let kept = object.0.iter().filter(|(key, _)| !is_edited(&edits, key));
            kept.map(|(key, value)| (key.clone(), value.get().to_owned()))
                .collect()
        };
        assert_eq!(
            others(&before),
            others(&after),
            "the others keep their bytes"
        );
        for edit in &edits {
            let last = |key| after.0.iter().rfind(|(name, _)| name == key);
            match edit {
                Edit::Set(key, value) => {
                    assert_eq!(last(key).map(|(_, value)| value.get()), Some(&**value));
                }
                Edit::Remove(key) => assert!(last(key).is_none(), "{key} is removed"),
            }
        }
    }
}

fn edits(choice: u8) -> Vec<Edit> {
    let all = [
        Edit::integer("retry_count", 7),
        Edit::Remove("jid"),
        Edit::string("error_message", "\u{1b}[31m\n\0\"é"),
        Edit::Remove("at"),
        Edit::Set("sancho_recoveries", r#"{"count":1,"first_at":2}"#.into()),
        Edit::integer("enqueued_at", i64::MIN),
        Edit::Remove("a"),
        Edit::string("queue", "mails"),
    ];
    let chosen = |(bit, edit): (u32, Edit)| ((choice >> bit) & 1 == 1).then_some(edit);
    (0..).zip(all).filter_map(chosen).collect()
}

fn is_edited(edits: &[Edit], name: &str) -> bool {
    edits.iter().any(|edit| match edit {
        Edit::Set(key, _) | Edit::Remove(key) => *key == name,
    })
}

fn ask(fields: &Fields<'_>) {
    let _ = (fields.class(), fields.args(), fields.jid(), fields.queue());
    let _ = (fields.retry(), fields.retry_for(), fields.retry_queue());
    let _ = (
        fields.is_kept_when_dead(),
        fields.backtrace(),
        fields.tags(),
    );
    let _ = (fields.wrapped(), fields.display_class(), fields.bid());
    let _ = (
        fields.created_at(),
        fields.enqueued_at(),
        fields.failed_at(),
    );
    let _ = (fields.retried_at(), fields.discarded_at());
    let _ = (fields.retry_count(), fields.error_class());
    let _ = (fields.error_message(), fields.error_backtrace());
}

/// An object as another parser reads it, with keys that stand twice.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

fn object(json: &[u8]) -> serde_json::Result<Object<'_>> {
    serde_json::from_slice(json)
}

/// Arguments are decoded as several types; what was decoded is encoded, and decoded to the same again.
pub(crate) fn arguments(json: &[u8]) {
    #[derive(Serialize, Deserialize, PartialEq)]
    enum Kind {
        Plain,
        Sized(u8),
        Named {
            name: String,
            rest: Option<Box<Kind>>,
        },
    }
    there_and_back::<()>(json);
    there_and_back::<(i64,)>(json);
    there_and_back::<(String, Option<u8>)>(json);
    there_and_back::<(Vec<u64>, bool, Option<char>)>(json);
    there_and_back::<(Kind,)>(json);
    there_and_back::<(std::collections::BTreeMap<String, i8>,)>(json);
    there_and_back::<(u128, i128)>(json);
    // A float may be written otherwise than it was read, and a map has an order of its own.
    let _ = <(f64, f32)>::decode(json, &INFO);
    let _ = <(serde_json::Value, serde_json::Value)>::decode(json, &INFO);
    let _ = <(Box<RawValue>,)>::decode(json, &INFO);
    let _ = <(GlobalId,)>::decode(json, &INFO);
}

const INFO: [ArgInfo; 2] = [
    ArgInfo::new("first", "Type"),
    ArgInfo::new("second", "Type"),
];

fn there_and_back<A: Args + PartialEq>(json: &[u8]) {
    match A::decode(json, &INFO) {
        Ok(args) => {
            let text = args.encode(&INFO).expect("what was decoded can be encoded");
            let again = A::decode(text.as_bytes(), &INFO).expect("what was encoded can be decoded");
            assert!(args == again, "{text}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Short texts: the URL of a store, the name of a queue, a duration, a time, a backtrace.
pub(crate) fn texts(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match text.parse::<StoreUrl>() {
        Ok(url) => {
            let shown = url.to_string();
            let is_redis = matches!(url, StoreUrl::Redis(_));
            assert!(!is_redis || !shown.contains("secret@"), "{shown}");
            let again = shown.parse::<StoreUrl>();
            assert!(is_redis || again.is_ok_and(|again| again == url), "{shown}");
        }
        Err(error) => one_line(&error.to_string()),
    }
    match check_queue_name(text) {
        Ok(()) => {
            one_line(text);
            let mut job = NewJob::new("A", "[]");
            job.queue = text.into();
            let payload = job.payload(Timestamp::from_millis(1), Default::default());
            let fields = Fields::read(&payload).expect("it is an object");
            assert_eq!(fields.queue().as_deref(), Some(text));
        }
        Err(why) => one_line(&why),
    }
    if let Ok(seconds) = duration::seconds(text) {
        assert!(
            !text.is_empty() && seconds > 0 || text.contains('0'),
            "{text:?}"
        );
    }
    let _ = read_time(text);
    if let Some(lines) = read_backtrace(text) {
        let again = read_backtrace(&write_backtrace(&lines));
        assert_eq!(again, Some(lines));
    }
    let _ = text.parse::<GlobalId>();
}

fn one_line(text: &str) {
    assert!(!text.contains(char::is_control), "{text:?}");
}

/// A cron expression is read by the macro as by the runtime, and its times are gone through; a schedule file is read in both
/// forms, and each of its entries can be kept. The first byte chooses the zone and the time.
pub(crate) fn cron(data: &[u8]) {
    use sancho::cron::{CronSchedule, Format, parse};
    let Some((choice, text)) = data.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let zones = ["UTC", "Europe/Berlin", "Pacific/Apia", "America/Sao_Paulo"];
    let zone = zones[usize::from(choice % 4)];
    let after = Timestamp::from_millis(1_500_000_000_000 + i64::from(*choice) * 1_234_567_890);
    match CronSchedule::new(text, zone) {
        Ok(schedule) => {
            assert_eq!(cron_of_macro::check(text), Ok(()), "{text:?}");
            let times = schedule.next_times(after, 5);
            assert!(times.is_sorted() && times.iter().all(|time| *time > after));
            if let Some(last) = times.last() {
                assert_eq!(schedule.last_times(after, *last, 5), times, "{text:?}");
            }
        }
        Err(error) => {
            assert_eq!(
                cron_of_macro::check(text),
                Err(error.to_string()),
                "{text:?}"
            );
        }
    }
    for format in [Format::Yaml, Format::Toml] {
        match parse("schedule", text, format) {
            Ok(entries) => {
                for entry in entries {
                    one_line(entry.name());
                    assert!(!entry.schedule().expression().is_empty());
                }
            }
            Err(error) => assert!(error.to_string().starts_with("the schedule file schedule")),
        }
    }
}

/// A config file is read in both forms, and a command line, a word a line: what is wrong, or warned of, is said in one line. The
/// first byte chooses.
pub(crate) fn config(data: &[u8]) {
    use sancho::serve::fuzzed;
    let Some((choice, text)) = data.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let environment = ["development", "production"][usize::from(choice / 4 % 2)];
    let said = match choice % 4 {
        0 | 1 => fuzzed::config_file("config/sidekiq.yml", environment, text),
        2 => fuzzed::config_file("config/sidekiq.toml", environment, text),
        _ => fuzzed::arguments(text.lines()).map(|()| Vec::new()),
    };
    match said {
        Ok(warnings) => warnings.iter().for_each(|warning| one_line(warning)),
        Err(error) => {
            assert!(!error.trim().is_empty());
            one_line(&error);
        }
    }
}

/// What the doctor says of a store stays in one line, whatever the store holds.
pub(crate) fn doctor(data: &[u8]) {
    use sancho::store::{Defect, DefectKind};
    let (subject, part) = data.split_at(data.len() / 2);
    let defect = Defect {
        kind: DefectKind::UnreadableClaim,
        subject: Bytes::copy_from_slice(subject),
        part: Bytes::copy_from_slice(part),
        found: String::from_utf8_lossy(data).into_owned(),
    };
    one_line(&defect.to_string());
    let spot = sancho::api::doctor::Spot::Place(
        sancho::store::PlaceName::queue(&String::from_utf8_lossy(subject)),
        Bytes::copy_from_slice(part),
    );
    let violation = sancho::api::doctor::Violation::NoJob {
        set: sancho::store::TimedSet::Retry,
        spot: spot.clone(),
        reason: String::from_utf8_lossy(part).into_owned(),
    };
    one_line(&violation.to_string());
    let violation = sancho::api::doctor::Violation::Twice {
        jid: String::from_utf8_lossy(part).into_owned(),
        kept: spot.clone(),
        surplus: spot,
        differ: data.first().is_some_and(|byte| byte % 2 == 0),
    };
    one_line(&violation.to_string());
}
