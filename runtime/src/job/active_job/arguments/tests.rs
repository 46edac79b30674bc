use chrono::{DateTime, NaiveDate, Utc};

use super::super::GlobalId;
use super::*;
use crate::job::Args;

const INFO: [ArgInfo; 1] = [ArgInfo::new("what", "Value")];

fn of(argument: &str) -> Result<String, String> {
    let args =
        format!(r#"[{{"job_class":"A","job_id":"f8a1","arguments":[{argument}],"locale":"en"}}]"#);
    arguments(args.as_bytes(), &INFO).map_err(|error| error.to_string())
}

/// What is read of one argument.
fn plain(argument: &str) -> String {
    let array = of(argument).unwrap();
    array[1..array.len() - 1].to_owned()
}

fn serialized_by(serializer: &str, value: &str) -> String {
    format!(r#"{{"_aj_serialized":"ActiveJob::Serializers::{serializer}","value":{value}}}"#)
}

#[test]
fn what_carries_no_mark_keeps_its_text() {
    for json in [
        r#"1,"two",null,true,1.0e+20,12345678901234567890123,"é/\u2028""#,
        r#"{"a": [1,  {"b":1.50}]}"#,
        "",
    ] {
        assert_eq!(of(json).unwrap(), format!("[{json}]"));
    }
    assert_eq!(
        plain(r#"{"n":12345678901234567890123,"f":1.50,"\u00e9":[],"_aj_symbol_keys":["n"]}"#),
        r#"{"n":12345678901234567890123,"f":1.50,"é":[]}"#
    );
}

#[test]
fn hashes_lose_their_marks_at_any_depth() {
    for mark in [
        r#""_aj_symbol_keys":["a"]"#,
        r#""_aj_ruby2_keywords":["a"]"#,
        r#""_aj_hash_with_indifferent_access":true"#,
    ] {
        let hash = format!(r#"{{"a":1,{mark}}}"#);
        assert_eq!(plain(&hash), r#"{"a":1}"#);
        assert_eq!(plain(&format!("{{{mark}}}")), "{}");
        let nested = format!(r#"[[{{"x":{hash},{mark},"y":2}}]]"#);
        assert_eq!(plain(&nested), r#"[[{"x":{"a":1},"y":2}]]"#);
    }
}

#[test]
fn a_record_is_its_global_id() {
    let record = r#"{"_aj_globalid":"gid://shop/User/1"}"#;
    assert_eq!(plain(record), r#""gid://shop/User/1""#);
    assert_eq!(
        plain(&format!(
            r#"{{"user":{record},"_aj_symbol_keys":["user"]}}"#
        )),
        r#"{"user":"gid://shop/User/1"}"#
    );
    let (gid,) = <(GlobalId,)>::decode(of(record).unwrap().as_bytes(), &INFO).unwrap();
    assert_eq!((gid.model(), gid.id()), ("User", "1"));
    // A mark in a hash of several keys is none, as in Rails.
    assert_eq!(
        plain(r#"{"_aj_globalid":"x","b":1}"#),
        r#"{"_aj_globalid":"x","b":1}"#
    );
}

#[test]
fn names_and_numbers_of_serializers_are_their_text() {
    for serializer in [
        "SymbolSerializer",
        "ModuleSerializer",
        "ClassSerializer",
        "BigDecimalSerializer",
    ] {
        assert_eq!(plain(&serialized_by(serializer, r#""x1""#)), r#""x1""#);
    }
    // The mark may be written with escapes.
    assert_eq!(
        plain(r#"{"\u005faj_serialized":"ActiveJob::Serializers::SymbolSerializer","value":"up"}"#),
        r#""up""#
    );
}

#[test]
fn times_are_read_by_chrono() {
    let time = |serializer, text: &str| {
        let args = of(&serialized_by(serializer, &format!("{text:?}"))).unwrap();
        <(DateTime<Utc>,)>::decode(args.as_bytes(), &INFO)
            .unwrap()
            .0
    };
    let expected = "2026-11-24T08:37:03.5Z".parse::<DateTime<Utc>>().unwrap();
    for serializer in [
        "DateTimeSerializer",
        "TimeSerializer",
        "TimeWithZoneSerializer",
    ] {
        assert_eq!(
            time(serializer, "2026-11-24T09:37:03.500000000+01:00"),
            expected
        );
    }
    // Rails 7 and later name the zone as well.
    let zoned = r#"{"_aj_serialized":"ActiveJob::Serializers::TimeWithZoneSerializer","value":"2026-11-24T08:37:03.500000000Z","time_zone":"Europe/London"}"#;
    assert_eq!(plain(zoned), r#""2026-11-24T08:37:03.500000000Z""#);
    let date = of(&serialized_by("DateSerializer", r#""2026-11-24""#)).unwrap();
    assert_eq!(
        <(NaiveDate,)>::decode(date.as_bytes(), &INFO).unwrap().0,
        NaiveDate::from_ymd_opt(2026, 11, 24).unwrap()
    );
}

#[test]
fn a_duration_is_its_seconds() {
    let parts = r#""parts":[[{"_aj_serialized":"ActiveJob::Serializers::SymbolSerializer","value":"hours"},1]]"#;
    let decimal = serialized_by("BigDecimalSerializer", r#""0.15e1""#);
    for (value, seconds) in [
        ("3600", "3600"),
        ("5400.0", "5400.0"),
        (r#""0.15e1""#, "1.5"),
        (r#""3/2""#, "1.5"),
        (&decimal, "1.5"),
    ] {
        let duration = format!(
            r#"{{"_aj_serialized":"ActiveJob::Serializers::DurationSerializer","value":{value},{parts}}}"#
        );
        assert_eq!(plain(&duration), seconds);
    }
    for value in ["null", "[]", r#""ten""#, r#""1/0""#, "true"] {
        let error = of(&serialized_by("DurationSerializer", value)).unwrap_err();
        assert!(error.contains("DurationSerializer"), "{error}");
    }
}

#[test]
fn a_range_keeps_its_ends() {
    let date = |day| serialized_by("DateSerializer", &format!(r#""2026-11-{day}""#));
    let range = format!(
        r#"{{"_aj_serialized":"ActiveJob::Serializers::RangeSerializer","begin":{},"end":{},"exclude_end":true}}"#,
        date(24),
        date(25)
    );
    assert_eq!(
        plain(&range),
        r#"{"begin":"2026-11-24","end":"2026-11-25","exclude_end":true}"#
    );
    let error = of(r#"{"_aj_serialized":"ActiveJob::Serializers::RangeSerializer","begin":1}"#);
    assert!(error.unwrap_err().contains("has no `end`"));
}

#[test]
fn what_needs_rails_names_its_serializer_and_argument() {
    for serializer in ["MoneySerializer", "ActiveJob::Serializers::NewSerializer"] {
        let hash = format!(r#"{{"_aj_serialized":"{serializer}","value":{{}}}}"#);
        let error = of(&format!("[{hash}]")).unwrap_err();
        assert!(
            error.starts_with("argument `what` (1st of 1, `Value`): only Rails can read")
                && error.contains(serializer),
            "{error}"
        );
    }
}

#[test]
fn what_activejob_does_not_write_is_refused() {
    for args in [
        "",
        "{}",
        "[[[1]]]",
        "[]",
        "[1]",
        "[{}]",
        r#"[{"arguments":{}}]"#,
        r#"[{"arguments":[]},{"arguments":[]}]"#,
        r#"[{"arguments":[1]}"#,
        "[\"\\xff\"]",
    ] {
        let error = arguments(args.as_bytes(), &INFO).unwrap_err().to_string();
        assert!(
            error.starts_with("this is not what ActiveJob writes"),
            "{args}: {error}"
        );
    }
    for argument in [
        r#"{"_aj_globalid":7}"#,
        r#"{"_aj_serialized":7}"#,
        r#"{"_aj_serialized":null,"value":1}"#,
        &serialized_by("SymbolSerializer", "7"),
        r#"{"_aj_serialized":"ActiveJob::Serializers::SymbolSerializer"}"#,
    ] {
        let error = of(argument).unwrap_err();
        assert!(error.starts_with("argument `what` "), "{error}");
    }
}

#[test]
fn the_last_of_two_equal_keys_counts_as_in_ruby() {
    let args = br#"[{"arguments":[1],"locale":"en","arguments":[2]}]"#;
    assert_eq!(arguments(args, &INFO).unwrap(), "[2]");
}

#[test]
fn nesting_has_an_end() {
    let nested = |depth: usize| {
        format!(
            r#"{}{{"_aj_globalid":"gid://a/B/1"}}{}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    assert!(of(&nested(99)).is_ok());
    for depth in [101, 100_000] {
        assert!(of(&nested(depth)).is_err());
    }
}
