//! Durations in options: `"10m"`, `"90s"`, `"1h30m"`.

/// The seconds of a text such as `1h30m`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn seconds(text: &str) -> Result<u64, &'static str> {
    const HOW: &str = "write a duration as \"90s\", \"10m\", \"1h30m\" or \"2d\"";
    const TOO_LONG: &str = "this duration is too long";
    let mut total = 0_u64;
    let mut rest = text;
    let mut larger = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(HOW)?;
        let (number, unit) = rest.split_at(digits);
        let unit_seconds = match unit.as_bytes()[0] {
            b'd' => 86_400,
            b'h' => 3_600,
            b'm' => 60,
            b's' => 1,
            _ => return Err(HOW),
        };
        // Each unit once, the larger one first.
        if number.is_empty() || unit_seconds >= larger {
            return Err(HOW);
        }
        larger = unit_seconds;
        let number: u64 = number.parse().map_err(|_| TOO_LONG)?;
        total = number
            .checked_mul(unit_seconds)
            .and_then(|seconds| total.checked_add(seconds))
            .ok_or(TOO_LONG)?;
        rest = &unit[1..];
    }
    match total {
        0 if text.is_empty() => Err(HOW),
        0 => Err("this duration is zero"),
        _ => Ok(total),
    }
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn durations_are_read() {
        for (text, expected) in [
            ("90s", 90),
            ("10m", 600),
            ("1h30m", 5_400),
            ("2d1s", 172_801),
        ] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "10",
            "m",
            "10 m",
            "1.5h",
            "30m1h",
            "1m1m",
            "10ms",
            "-1s",
            "ten",
            "1ü",
            "0s",
            "99999999999999999999s",
            "999999999999999999d",
        ] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
