//! Arguments of older versions.

use std::fmt;

use serde::de::{self, DeserializeOwned, IntoDeserializer as _, Visitor};
use serde::forward_to_deserialize_any;

use super::{Args, ArgsError, Definition, Spec};

/// Reads the arguments of one older version.
#[doc(hidden)]
pub type Older<A> = fn(&[u8]) -> Result<A, ArgsError>;

/// The arguments of an older version of a job: a struct of them in their order, which becomes the tuple `A` of today's.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the arguments of an older version of this job",
    label = "does not become `{A}`",
    note = "derive `serde::Deserialize` for it, and write `impl From<{Self}> for {A}`"
)]
pub trait OldArgs<A>: DeserializeOwned + Into<A> {}

#[diagnostic::do_not_recommend]
impl<A, T: DeserializeOwned + Into<A>> OldArgs<A> for T {}

/// The arguments of today of those of an older version.
///
/// # Errors
/// Arguments that are not of that version.
#[doc(hidden)]
pub fn upcast<V: OldArgs<S::Args>, S: Spec>(json: &[u8]) -> Result<S::Args, ArgsError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    V::deserialize(Positional(&mut deserializer))
        .and_then(|old| deserializer.end().map(|()| old.into()))
        .map_err(|error| ArgsError::new(super::args::text(&error)))
}

/// The arguments of a payload of this version.
pub(super) fn decode<S: Spec>(json: &[u8], version: u32) -> Result<S::Args, ArgsError> {
    let job = S::DEFINITION;
    if version == job.version {
        return S::Args::decode(json, job.args).map_err(|error| match version {
            1 => error,
            _ => of_version(version, &error),
        });
    }
    let age = job.version.checked_sub(version);
    let older = age.and_then(|age| S::OLDER.get(usize::try_from(age - 1).ok()?));
    match older {
        Some(read) => read(json).map_err(|error| of_version(version, &error)),
        None => Err(unreadable(job, version, S::OLDER.len())),
    }
}

fn of_version(version: u32, error: &ArgsError) -> ArgsError {
    ArgsError::new(format!("in arguments of version {version}: {error}"))
}

fn unreadable(job: &Definition, version: u32, older: usize) -> ArgsError {
    let Definition {
        name,
        version: newest,
        ..
    } = job;
    let oldest = newest.saturating_sub(u32::try_from(older).unwrap_or(u32::MAX));
    let reads = if oldest == *newest {
        format!("version {newest}")
    } else {
        format!("versions {oldest} to {newest}")
    };
    let how = if version > *newest {
        "a program that is newer pushed it, and can run it"
    } else {
        "add the type of its arguments to `from(..)` to run it"
    };
    ArgsError::new(format!(
        "the arguments are of version {version}, and `{name}` reads {reads}: {how}"
    ))
}

/// Reads an array into a struct of any shape: one of a single field would else be that field alone, and one without
/// fields no array.
struct Positional<'a, 'de>(&'a mut serde_json::Deserializer<serde_json::de::SliceRead<'de>>);

impl<'de> de::Deserializer<'de> for Positional<'_, 'de> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        de::Deserializer::deserialize_seq(self.0, visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        de::Deserializer::deserialize_seq(self.0, Nothing)?;
        ().into_deserializer().deserialize_unit_struct("", visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit newtype_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// An array of nothing.
struct Nothing;

impl<'de> Visitor<'de> for Nothing {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no arguments")
    }

    fn visit_seq<S: de::SeqAccess<'de>>(self, _: S) -> Result<(), S::Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Unit;

    #[derive(Debug, Deserialize, PartialEq)]
    struct One(i64);

    #[derive(Debug, Deserialize, PartialEq)]
    struct Two(i64, String);

    #[derive(Debug, Deserialize, PartialEq)]
    struct Named {
        id: i64,
        #[serde(default)]
        locale: Option<String>,
    }

    fn read<T: DeserializeOwned>(json: &str) -> Result<T, String> {
        let mut deserializer = serde_json::Deserializer::from_slice(json.as_bytes());
        T::deserialize(Positional(&mut deserializer))
            .and_then(|old| deserializer.end().map(|()| old))
            .map_err(|error| super::super::args::text(&error))
    }

    #[test]
    fn a_struct_of_any_shape_reads_an_array() {
        assert_eq!(read("[]"), Ok(Unit));
        assert_eq!(read("[7]"), Ok(One(7)));
        assert_eq!(read(r#"[7,"fr"]"#), Ok(Two(7, "fr".to_owned())));
        assert_eq!(read("[7]"), Ok((7_i64,)));
        let locale = Some("fr".to_owned());
        assert_eq!(read(r#"[7,"fr"]"#), Ok(Named { id: 7, locale }));
        let locale = None;
        assert_eq!(read("[7]"), Ok(Named { id: 7, locale }));
    }

    #[test]
    fn what_is_no_such_array_is_refused() {
        assert!(read::<Unit>("[1]").is_err());
        assert!(read::<One>("[]").unwrap_err().contains("invalid length 0"));
        assert!(read::<One>("[1,2]").unwrap_err().contains("trailing"));
        assert!(
            read::<One>(r#"["x"]"#)
                .unwrap_err()
                .contains("invalid type")
        );
        assert!(read::<Named>(r#"{"id":7}"#).is_err());
    }
}
