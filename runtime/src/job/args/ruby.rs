//! JSON as Ruby writes it.

use std::io;

use serde_json::ser::Formatter;

use crate::job::payload::ruby_float;

/// Writes floats as Ruby does. In all else compact JSON of `serde_json` is Ruby's: no white space, and no escapes but those
/// that must be.
///
/// An `f32` is written with the digits that tell it from other `f32`s, so `0.1_f32` is `0.1`: as a float of Ruby, which is an
/// `f64`, it would be `0.10000000149011612`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ruby;

impl Formatter for Ruby {
    fn write_f32<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        let shortest: f64 = value.to_string().parse().unwrap_or(value.into());
        self.write_f64(writer, shortest)
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(ruby_float(value).as_bytes())
    }
}
