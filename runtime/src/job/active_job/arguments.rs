//! From the argument of ActiveJob's wrapper to the arguments of the job.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::job::args::argument;
use crate::job::payload::ruby_float;
use crate::job::{ArgInfo, ArgsError};

/// What a mark's name begins with.
const MARK: &str = "_aj_";
const GLOBAL_ID: &str = "_aj_globalid";
const SERIALIZED: &str = "_aj_serialized";
/// The marks that say which keys of a hash are symbols: nothing that Rust would want to know.
const KEY_MARKS: [&str; 3] = [
    "_aj_symbol_keys",
    "_aj_ruby2_keywords",
    "_aj_hash_with_indifferent_access",
];

/// How deep arguments may be nested: as deep as Ruby writes them. Each level is read anew.
const MAX_NESTING: usize = 100;

/// The job's arguments as plain JSON. What carries no mark keeps its text.
///
/// | in Ruby | becomes |
/// |---|---|
/// | a record, by its GlobalID | the text of the GlobalID: [`GlobalId`](super::GlobalId) |
/// | a hash, whatever its keys | an object |
/// | `Symbol`, `Class`, `Module` | its name |
/// | `Date`, `DateTime`, `Time`, `TimeWithZone` | its ISO 8601 text, which chrono's types read |
/// | `Duration` | its seconds, a number |
/// | `BigDecimal` | Ruby's text of it: `0.15e1` |
/// | `Range` | an object with `begin`, `end` and `exclude_end` |
///
/// # Errors
/// What is no ActiveJob; a value that only Rails can read, by its serializer.
pub(crate) fn arguments(args: &[u8], info: &[ArgInfo]) -> Result<String, ArgsError> {
    let no_job = |error: &dyn fmt::Display| {
        ArgsError::new(format!(
            "this is not what ActiveJob writes, an array of one object with `arguments`: {error}"
        ))
    };
    let jobs: Vec<Hash<'_>> = serde_json::from_slice(args).map_err(|error| no_job(&error))?;
    let [job] = &jobs[..] else {
        let count = jobs.len();
        return Err(ArgsError::new(format!(
            "this is not what ActiveJob writes: its wrapper takes one argument, and {count} were given"
        )));
    };
    let arguments = job.get("arguments").ok_or_else(|| no_job(&"it has none"))?;
    let arguments: Vec<&RawValue> = parse(arguments).map_err(|error| no_job(&error))?;
    let mut out = String::from("[");
    for (index, raw) in arguments.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        value(raw.get(), 0, &mut out)
            .map_err(|reason| ArgsError::new(format!("{}: {reason}", argument(info, index))))?;
    }
    out.push(']');
    Ok(out)
}

fn value(json: &str, depth: usize, out: &mut String) -> Result<(), String> {
    if depth > MAX_NESTING {
        return Err(format!("it is nested more than {MAX_NESTING} deep"));
    }
    // Ruby never escapes letters, but who else writes such a payload may.
    let marked = json.contains(MARK) || json.contains("\\u");
    match json.as_bytes().first() {
        Some(b'{') if marked => hash(&parse(json)?, depth, out),
        Some(b'[') if marked => array(&parse::<Vec<_>>(json)?, depth, out),
        _ => {
            out.push_str(json);
            Ok(())
        }
    }
}

fn array(values: &[&RawValue], depth: usize, out: &mut String) -> Result<(), String> {
    out.push('[');
    for (index, raw) in values.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        value(raw.get(), depth + 1, out)?;
    }
    out.push(']');
    Ok(())
}

fn hash(hash: &Hash<'_>, depth: usize, out: &mut String) -> Result<(), String> {
    if let [(key, id)] = &hash.0[..]
        && key == GLOBAL_ID
    {
        return text(id.get(), GLOBAL_ID, out);
    }
    if let Some(serializer) = hash.get(SERIALIZED) {
        let name: String = parse(serializer)
            .map_err(|_| format!("`{SERIALIZED}` is not the name of a serializer"))?;
        return serialized(&name, hash, depth, out);
    }
    object(
        hash.0
            .iter()
            .filter(|(key, _)| !KEY_MARKS.contains(&&**key))
            .map(|(key, raw)| (&**key, raw.get())),
        depth,
        out,
    )
}

fn object<'a>(
    fields: impl Iterator<Item = (&'a str, &'a str)>,
    depth: usize,
    out: &mut String,
) -> Result<(), String> {
    out.push('{');
    for (index, (key, json)) in fields.enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&serde_json::to_string(key).map_err(|error| error.to_string())?);
        out.push(':');
        value(json, depth + 1, out)?;
    }
    out.push('}');
    Ok(())
}

/// What one of Rails' own serializers wrote.
fn serialized(
    serializer: &str,
    hash: &Hash<'_>,
    depth: usize,
    out: &mut String,
) -> Result<(), String> {
    let field = |name: &str| {
        hash.get(name)
            .ok_or_else(|| format!("what `{serializer}` wrote has no `{name}`"))
    };
    match serializer.strip_prefix("ActiveJob::Serializers::") {
        Some(
            "SymbolSerializer"
            | "DateSerializer"
            | "DateTimeSerializer"
            | "TimeSerializer"
            | "TimeWithZoneSerializer"
            | "BigDecimalSerializer"
            | "ModuleSerializer"
            | "ClassSerializer",
        ) => text(field("value")?, serializer, out),
        Some("DurationSerializer") => {
            let mut plain = String::new();
            value(field("value")?, depth + 1, &mut plain)?;
            out.push_str(&seconds(&plain).ok_or_else(|| {
                format!("the value that `{serializer}` wrote is not a number: {plain}")
            })?);
            Ok(())
        }
        Some("RangeSerializer") => {
            let fields = [
                ("begin", field("begin")?),
                ("end", field("end")?),
                ("exclude_end", field("exclude_end")?),
            ];
            object(fields.into_iter(), depth, out)
        }
        _ => Err(format!(
            "only Rails can read what `{serializer}` wrote: give the job plain values, or a record, which comes as its GlobalID"
        )),
    }
}

/// A value that is a text.
fn text(json: &str, writer: &str, out: &mut String) -> Result<(), String> {
    if json.starts_with('"') {
        out.push_str(json);
        Ok(())
    } else {
        Err(format!("the value of `{writer}` is not a text: {json}"))
    }
}

/// A duration's value as a number: it is one, or the text of a `BigDecimal` (`"0.15e1"`) or of a `Rational` (`"3/2"`).
fn seconds(json: &str) -> Option<String> {
    let Ok(text) = serde_json::from_str::<String>(json) else {
        return serde_json::from_str::<serde_json::Number>(json)
            .is_ok()
            .then(|| json.to_owned());
    };
    let (over, under) = text.split_once('/').unwrap_or((&text, "1"));
    let value = over.parse::<f64>().ok()? / under.parse::<f64>().ok()?;
    value.is_finite().then(|| ruby_float(value))
}

fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

/// An object in the order of its text. Where a key stands twice, its last value counts, as in Ruby.
struct Hash<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl Hash<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, raw)| raw.get())
    }
}

impl<'de> Deserialize<'de> for Hash<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Hash<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Hash<'de>, A::Error> {
        let mut fields: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
        while let Some((key, value)) = map.next_entry::<Key<'de>, &RawValue>()? {
            fields.push((key.0, value));
        }
        Ok(Hash(fields))
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests;
