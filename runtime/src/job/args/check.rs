//! What a reader of the payload could not take.

use crate::job::payload::{MAX_NESTING, nesting};

/// The largest arguments: Redis keeps up to 512 MiB in one value, and a failure adds to a payload.
const MAX_BYTES: usize = 511 << 20;

/// Checks the text of a JSON array: its size and its depth.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(args: &str) -> Result<(), String> {
    size(args.len())?;
    // The array stands in the payload's object.
    match nesting(args.as_bytes()) + 1 {
        depth if depth > MAX_NESTING => Err(format!(
            "its arguments are nested {depth} deep, the payload counted, and Ruby reads {MAX_NESTING} at most: flatten them, \
             or pass a part of them as text"
        )),
        _ => Ok(()),
    }
}

fn size(bytes: usize) -> Result<(), String> {
    if bytes > MAX_BYTES {
        Err(format!(
            "its arguments have {bytes} bytes, and a store keeps {MAX_BYTES} at most: put the data elsewhere, and pass its place"
        ))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_counted_as_ruby_counts_it() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(check(&nested(99)), Ok(()));
        let error = check(&nested(100)).unwrap_err();
        assert!(error.contains("nested 101 deep"), "{error}");
    }

    #[test]
    fn ten_megabytes_pass_and_what_redis_cannot_keep_is_refused() {
        assert_eq!(check(&format!("[\"{}\"]", "[".repeat(10 << 20))), Ok(()));
        assert_eq!(size(MAX_BYTES), Ok(()));
        assert!(size(MAX_BYTES + 1).unwrap_err().contains("bytes"));
    }
}
