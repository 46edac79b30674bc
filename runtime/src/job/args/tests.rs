use std::collections::BTreeMap;

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
