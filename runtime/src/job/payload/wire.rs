//! What depends on the version of Sidekiq that reads it.

use std::fmt::Write as _;

use crate::job::Timestamp;

/// The version of Sidekiq that what is written is meant for. All of them are read, whatever this says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Wire {
    /// Times as float seconds; running work stands under the key of 6.4 and before as well.
    Sidekiq6,
    /// Times as float seconds.
    Sidekiq7,
    /// Times as whole milliseconds.
    #[default]
    Sidekiq8,
}

impl Wire {
    /// A time as it stands in a payload: JSON text.
    #[must_use]
    pub fn time(self, at: Timestamp) -> String {
        match self {
            Self::Sidekiq6 | Self::Sidekiq7 => ruby_float(at.as_score()),
            Self::Sidekiq8 => at.as_millis().to_string(),
        }
    }
}

/// Reads a time that stands in a payload, whoever wrote it: a float is seconds (Sidekiq 7 and before), an integer is
/// milliseconds (8). `None` for anything else.
#[must_use]
pub fn read_time(json: &str) -> Option<Timestamp> {
    match json.parse::<i64>() {
        Ok(millis) => Some(Timestamp::from_millis(millis)),
        Err(_) => match serde_json::from_str::<f64>(json) {
            Ok(seconds) if json.contains(['.', 'e', 'E']) => Some(Timestamp::from_score(seconds)),
            _ => None,
        },
    }
}

/// A finite float as Ruby writes it (`Float#to_s`): `1.0`, `0.0001`, `1.0e-05`, `1.0e+20`. Ruby parses and writes entries
/// anew to move them, and finds only those whose bytes come out the same.
#[must_use]
pub fn ruby_float(value: f64) -> String {
    let shortest = shortest(value);
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa
        .strip_prefix('-')
        .map_or(("", mantissa), |mantissa| ("-", mantissa));
    let mut digits = mantissa.replace('.', "");
    let mut out = sign.to_owned();
    // Where the point stands among the digits.
    let point = exponent + 1;
    match usize::try_from(point) {
        Ok(point) if point > 0 && (point <= 15 || point < digits.len()) => {
            while digits.len() <= point {
                digits.push('0');
            }
            let (whole, rest) = digits.split_at(point);
            let _ = write!(out, "{whole}.{rest}");
        }
        _ if (-3..=0).contains(&point) => {
            let zeros = "0".repeat(usize::try_from(-point).unwrap_or(0));
            let _ = write!(out, "0.{zeros}{digits}");
        }
        _ => {
            let (first, rest) = digits.split_at(1);
            let rest = if rest.is_empty() { "0" } else { rest };
            let sign = if exponent < 0 { '-' } else { '+' };
            let _ = write!(out, "{first}.{rest}e{sign}{:02}", exponent.abs());
        }
    }
    out
}

/// The shortest digits that are read back as this value, in scientific notation. Where two of that length are as near, Ruby
/// takes the even one and Rust the larger; that takes a value of at least 16 digits.
fn shortest(value: f64) -> String {
    let shortest = format!("{value:e}");
    let digits = shortest
        .bytes()
        .take_while(|byte| *byte != b'e')
        .filter(u8::is_ascii_digit)
        .count();
    if digits < 15 {
        return shortest;
    }
    let even = format!("{value:.*e}", digits - 1);
    if even.parse() == Ok(value) {
        even
    } else {
        shortest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_rubys() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-1.5, "-1.5"),
            (123.456, "123.456"),
            (0.1, "0.1"),
            (0.000_1, "0.0001"),
            (0.000_012_3, "1.23e-05"),
            (1e14, "100000000000000.0"),
            (999_999_999_999_999.9, "999999999999999.9"),
            (1e15, "1.0e+15"),
            (1_234_567_890_123_456.0, "1.234567890123456e+15"),
            (1e16, "1.0e+16"),
            (11_519_875_916_755.563, "11519875916755.562"),
            (4_131_601_699_999_999.5, "4131601699999999.5"),
            (1e20, "1.0e+20"),
            (1.5e300, "1.5e+300"),
            (5e-324, "5.0e-324"),
            (1_795_469_481.077_963_6, "1795469481.0779636"),
        ] {
            assert_eq!(ruby_float(value), text);
        }
    }

    #[test]
    fn both_forms_of_a_time_are_read() {
        let at = Timestamp::from_micros(1_795_469_481_077_000);
        for wire in [Wire::Sidekiq6, Wire::Sidekiq7, Wire::Sidekiq8] {
            assert_eq!(read_time(&wire.time(at)), Some(at));
        }
        assert_eq!(Wire::Sidekiq7.time(at), "1795469481.077");
        assert_eq!(Wire::Sidekiq8.time(at), "1795469481077");
        for odd in [
            "null",
            "\"1795469481077\"",
            "[]",
            "99999999999999999999",
            "1e",
        ] {
            assert_eq!(read_time(odd), None, "{odd}");
        }
    }
}
