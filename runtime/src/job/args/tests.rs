use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::*;

const INFO: [ArgInfo; 2] = [
    ArgInfo {
        name: "user_id",
        type_name: "i64",
    },
    ArgInfo {
        name: "name",
        type_name: "Option<String>",
    },
];

fn decode<A: Args>(json: &str) -> Result<A, String> {
    A::decode(json.as_bytes(), &INFO).map_err(|error| error.to_string())
}

#[test]
fn arguments_are_written_as_compact_json_and_read_back() {
    let args = (7_i64, Some("höher \"x\"".to_owned()));
    let json = args.encode(&INFO).unwrap();
    assert_eq!(json, r#"[7,"höher \"x\""]"#);
    assert_eq!(decode::<(i64, Option<String>)>(&json), Ok(args));
    assert_eq!(().encode(&[]).unwrap(), "[]");
    assert_eq!(decode::<()>(" [ ] "), Ok(()));
}

#[test]
fn a_missing_optional_argument_is_none() {
    assert_eq!(decode::<(i64, Option<String>)>("[7]"), Ok((7, None)));
    assert_eq!(decode::<(i64, Option<String>)>("[7,null]"), Ok((7, None)));
}

#[test]
fn a_missing_argument_is_named() {
    assert_eq!(
        decode::<(i64, String)>("[7]").unwrap_err(),
        "argument `name` (2nd of 2, `Option<String>`) is missing"
    );
}

#[test]
fn an_argument_of_another_type_is_named_with_what_was_found() {
    assert_eq!(
        decode::<(i64, String)>(r#"["x","y"]"#).unwrap_err(),
        "argument `user_id` (1st of 2, `i64`): invalid type: string \"x\", expected i64"
    );
    assert_eq!(
        decode::<(u8, String)>(r#"[256,"y"]"#).unwrap_err(),
        "argument `user_id` (1st of 2, `i64`): invalid value: integer `256`, expected u8"
    );
}

#[test]
fn more_arguments_than_parameters_are_counted() {
    assert_eq!(
        decode::<(i64, String)>(r#"[1,"x",{"a":[2]},4]"#).unwrap_err(),
        "4 arguments were given, but the job takes 2"
    );
}

#[test]
fn what_is_no_array_is_refused() {
    assert_eq!(
        decode::<(i64,)>(r#"{"a":1}"#).unwrap_err(),
        "invalid type: map, expected the array of a job's arguments"
    );
    assert!(decode::<(i64,)>("[1] 2").is_err());
}

#[test]
fn what_json_cannot_hold_is_refused_by_name() {
    let error = (f64::NAN,).encode(&INFO[..1]).unwrap_err().to_string();
    assert!(
        error.starts_with("argument `user_id` (1st of 1, `i64`) cannot be stored as JSON: "),
        "{error}"
    );
    assert!((vec![1.0, f64::INFINITY],).encode(&INFO[..1]).is_err());
    let keys = BTreeMap::from([(vec![1_u8], 1)]);
    assert!(
        (1_i64, keys)
            .encode(&INFO)
            .unwrap_err()
            .to_string()
            .contains("`name`")
    );
}

#[test]
fn a_bulk_takes_bare_values_and_tuples() {
    fn args<T>(items: impl IntoIterator<Item = impl Item<T>>) -> Vec<(T,)> {
        items.into_iter().map(Item::into_args).collect()
    }
    assert_eq!(args::<i64>([1, 2]), [(1,), (2,)]);
    assert_eq!(args::<i64>([(1,), (2,)]), [(1,), (2,)]);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Rating {
    None,
    One(f64),
    Two(f32, f64),
    Many { stars: Vec<Option<f64>> },
}

#[derive(Serialize, Deserialize)]
struct Wrapped(f64);

#[derive(Serialize, Deserialize)]
struct Pair(f64, f64);

#[derive(Serialize, Deserialize)]
struct Named {
    weight: f64,
}

#[test]
fn a_float_that_is_not_a_number_is_refused_at_any_depth() {
    fn refused(args: &impl Args) {
        let error = args.encode(&INFO[..1]).unwrap_err().to_string();
        assert!(error.ends_with(" is not a number"), "{error}");
    }
    // Written as `null`, this one would be read back as no rating at all.
    refused(&(Some(f64::NAN),));
    refused(&(f32::NEG_INFINITY,));
    refused(&(vec![Some(0.0), Some(f64::INFINITY)],));
    refused(&(((1, f64::NAN),),));
    refused(&(BTreeMap::from([(1, f64::NAN)]),));
    refused(&(Wrapped(f64::NAN),));
    refused(&(Pair(0.0, f64::NAN),));
    refused(&(Named { weight: f64::NAN },));
    refused(&(Rating::One(f64::NAN),));
    refused(&(Rating::Two(0.0, f64::NAN),));
    refused(&(Rating::Many {
        stars: vec![Some(f64::NAN)],
    },));
}

#[test]
fn what_was_written_is_read_back() {
    for rating in [
        Rating::None,
        Rating::One(0.1),
        Rating::Two(0.5, -1e300),
        Rating::Many {
            stars: vec![Some(1.0), None],
        },
    ] {
        let args = (rating, (u128::MAX, 'x', BTreeMap::from([(1, ())])));
        let json = args.encode(&INFO).unwrap();
        let read: (Rating, (u128, char, BTreeMap<i32, ()>)) =
            Args::decode(json.as_bytes(), &INFO).unwrap();
        assert_eq!(read, args);
    }
}

#[test]
fn raw_json_goes_through_as_it_is() {
    let raw = r#"{"b":1,  "a":2}"#;
    let value = serde_json::value::RawValue::from_string(raw.to_owned()).unwrap();
    let json = (value,).encode(&INFO[..1]).unwrap();
    assert_eq!(json, format!("[{raw}]"));
}

#[test]
fn floats_are_written_as_ruby_writes_them() {
    let args = (
        vec![1.0, 0.1, 1e20, -1e-5, 1e15],
        [0.1_f32, 16_777_216.0, 1e-7],
    );
    let json = args.encode(&[]).unwrap();
    assert_eq!(
        json,
        "[[1.0,0.1,1.0e+20,-1.0e-05,1.0e+15],[0.1,16777216.0,1.0e-07]]"
    );
    let read: (Vec<f64>, [f32; 3]) = Args::decode(json.as_bytes(), &[]).unwrap();
    assert_eq!(read, args);
}

#[test]
fn strings_have_no_escapes_that_need_not_be() {
    let text = "é/<>&\u{7f}\u{2028}\u{1f}\n\u{8}\u{c}\\\"";
    assert_eq!(
        (text.to_owned(),).encode(&[]).unwrap(),
        "[\"é/<>&\u{7f}\u{2028}\\u001f\\n\\b\\f\\\\\\\"\"]"
    );
}

#[test]
fn what_makes_an_array_can_be_the_arguments() {
    let array = |json: Result<String, ArgsError>| json.map_err(|error| error.to_string());
    assert_eq!(array(to_array(&(1, "two"))).unwrap(), "[1,\"two\"]");
    assert_eq!(array(to_array(&vec![1, 2])).unwrap(), "[1,2]");
    assert_eq!(array(to_array(&&[1, 2][..])).unwrap(), "[1,2]");
    assert_eq!(array(to_array(&[0; 0])).unwrap(), "[]");
    assert_eq!(array(to_array(&())).unwrap(), "[]");
    assert_eq!(array(to_array(&serde_json::json!([1]))).unwrap(), "[1]");
    for refused in [
        array(to_array(&1)),
        array(to_array(&"[1]")),
        array(to_array(&None::<i64>)),
        array(to_array(&Named { weight: 1.0 })),
        array(to_array(&Rating::Two(0.0, 0.0))),
    ] {
        assert!(refused.unwrap_err().contains("a tuple"));
    }
    assert!(array(to_array(&(f64::NAN,))).unwrap_err().contains("NaN"));
}
