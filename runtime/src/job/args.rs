//! A job's arguments: the positional JSON array of the payload.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserializer, Serialize};

use super::ArgInfo;
use ruby::Ruby;
use strict::Strict;

mod check;
mod ruby;
mod strict;

pub(crate) use check::check;

/// The type of a parameter that stands in the payload.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a job argument",
    label = "cannot be stored as JSON",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, or mark the parameter `#[state]` if it is shared state"
)]
pub trait JobArg: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> JobArg for T {}

/// All arguments of a job, as a tuple.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the arguments of a job",
    note = "a job takes up to 12 arguments, each `serde::Serialize` and `serde::Deserialize`"
)]
pub trait Args: Send + 'static {
    /// The JSON array, without white space.
    ///
    /// # Errors
    /// Where a value cannot be JSON: a map with keys that cannot be strings, a float that is not a number.
    fn encode(&self, info: &[ArgInfo]) -> Result<String, ArgsError>;

    /// The arguments of a JSON array. A missing trailing argument is read as `null`.
    ///
    /// # Errors
    /// An argument of another type, by its name; too few; too many; no array.
    fn decode(json: &[u8], info: &[ArgInfo]) -> Result<Self, ArgsError>
    where
        Self: Sized;
}

/// An item of `perform_bulk` for a job of one argument: the bare value, or a tuple of it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an argument of this job, which takes a `{T}`",
    label = "expected items of type `{T}`",
    note = "give `perform_bulk` an iterator of `{T}`, or of `({T},)`"
)]
pub trait Item<T>: Sized {
    /// The arguments.
    fn into_args(self) -> (T,);
}

impl<T> Item<T> for T {
    fn into_args(self) -> (T,) {
        (self,)
    }
}

impl<T> Item<T> for (T,) {
    fn into_args(self) -> (T,) {
        self
    }
}

/// Arguments that cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ArgsError {
    message: String,
}

impl ArgsError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

macro_rules! tuples {
    ($(($($arg:ident $index:tt)*))*) => {$(
        impl<$($arg: JobArg),*> Args for ($($arg,)*) {
            fn encode(&self, info: &[ArgInfo]) -> Result<String, ArgsError> {
                let mut array = Writer::new(info);
                $(array.push(&self.$index)?;)*
                array.end()
            }

            fn decode(json: &[u8], info: &[ArgInfo]) -> Result<Self, ArgsError> {
                decode(json, Positional { info, args: PhantomData::<Self> })
            }
        }

        impl<'de, $($arg: JobArg),*> Visitor<'de> for Positional<'_, ($($arg,)*)> {
            type Value = ($($arg,)*);

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the array of a job's arguments")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, array: S) -> Result<Self::Value, S::Error> {
                let mut array = Reader { array, info: self.info, index: 0 };
                let args = ($(array.next::<$arg>()?,)*);
                array.end()?;
                Ok(args)
            }
        }
    )*};
}

tuples! {
    ()
    (A 0)
    (A 0 B 1)
    (A 0 B 1 C 2)
    (A 0 B 1 C 2 D 3)
    (A 0 B 1 C 2 D 3 E 4)
    (A 0 B 1 C 2 D 3 E 4 F 5)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11)
}

/// Writes an array, argument by argument, so that an error can name its argument.
struct Writer<'a> {
    json: Vec<u8>,
    info: &'a [ArgInfo],
    index: usize,
}

impl<'a> Writer<'a> {
    fn new(info: &'a [ArgInfo]) -> Self {
        Self {
            json: vec![b'['],
            info,
            index: 0,
        }
    }

    fn push<T: JobArg>(&mut self, arg: &T) -> Result<(), ArgsError> {
        if self.index > 0 {
            self.json.push(b',');
        }
        write(arg, &mut self.json).map_err(|error| self.error(&error))?;
        self.index += 1;
        Ok(())
    }

    fn error(&self, error: &serde_json::Error) -> ArgsError {
        let argument = argument(self.info, self.index);
        ArgsError::new(format!(
            "{argument} cannot be stored as JSON: {}",
            text(error)
        ))
    }

    fn end(&mut self) -> Result<String, ArgsError> {
        self.json.push(b']');
        utf8(std::mem::take(&mut self.json))
    }
}

/// The arguments of a job that this program has no function for: of any value that is a JSON array, and of `()`.
pub(crate) fn to_array<T: Serialize>(args: &T) -> Result<String, ArgsError> {
    let json = to_json(args)?;
    match json.as_bytes().first() {
        Some(b'[') => Ok(json),
        // Of the values without a size, `()` is the one that is written so.
        _ if json == "null" && size_of::<T>() == 0 => Ok("[]".to_owned()),
        _ => Err(ArgsError::new(
            "the arguments are one array: give a tuple (of a single one: `(42,)`), a slice, a `Vec`, or `()`",
        )),
    }
}

/// Any value as JSON.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String, ArgsError> {
    let mut json = Vec::new();
    write(value, &mut json).map_err(|error| {
        ArgsError::new(format!("it cannot be stored as JSON: {}", text(&error)))
    })?;
    utf8(json)
}

fn write<T: Serialize + ?Sized>(value: &T, json: &mut Vec<u8>) -> serde_json::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(json, Ruby);
    value.serialize(Strict(&mut serializer))
}

fn utf8(json: Vec<u8>) -> Result<String, ArgsError> {
    String::from_utf8(json).map_err(|_| ArgsError::new("an argument wrote JSON that is not UTF-8"))
}

fn decode<'de, V: Visitor<'de>>(json: &'de [u8], args: V) -> Result<V::Value, ArgsError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    deserializer
        .deserialize_seq(args)
        .and_then(|args| deserializer.end().map(|()| args))
        .map_err(|error| ArgsError::new(text(&error)))
}

/// Reads an array into a tuple in one pass.
struct Positional<'a, A> {
    info: &'a [ArgInfo],
    args: PhantomData<A>,
}

struct Reader<'a, S> {
    array: S,
    info: &'a [ArgInfo],
    index: usize,
}

impl<'de, S: SeqAccess<'de>> Reader<'_, S> {
    fn next<T: JobArg>(&mut self) -> Result<T, S::Error> {
        let argument = || argument(self.info, self.index);
        let arg = match self.array.next_element() {
            Ok(Some(arg)) => arg,
            Ok(None) => serde_json::from_value(serde_json::Value::Null)
                .map_err(|_| S::Error::custom(format_args!("{} is missing", argument())))?,
            Err(error) => return Err(S::Error::custom(format_args!("{}: {error}", argument()))),
        };
        self.index += 1;
        Ok(arg)
    }

    fn end(&mut self) -> Result<(), S::Error> {
        let mut given = self.index;
        while self.array.next_element::<IgnoredAny>()?.is_some() {
            given += 1;
        }
        match given - self.index {
            0 => Ok(()),
            _ => Err(S::Error::custom(format_args!(
                "{given} arguments were given, but the job takes {}",
                self.index
            ))),
        }
    }
}

/// How an argument is named in errors.
pub(super) fn argument(info: &[ArgInfo], index: usize) -> String {
    let place = ordinal(index + 1);
    match info.get(index) {
        Some(ArgInfo { name, type_name }) => {
            format!(
                "argument `{name}` ({place} of {}, `{type_name}`)",
                info.len()
            )
        }
        None => format!("the {place} argument"),
    }
}

fn ordinal(number: usize) -> String {
    let suffix = match number {
        1 => "st",
        2 => "nd",
        3 => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

/// The error without its place: the array has one line, and the argument's name says more.
pub(super) fn text(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests;
