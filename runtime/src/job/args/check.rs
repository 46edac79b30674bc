//! What a reader of the payload could not take.

/// How deep Ruby's JSON reads and writes, the payload's own object counted.
const MAX_NESTING: usize = 100;

/// The largest arguments: Redis keeps up to 512 MiB in one value, and a failure adds to a payload.
const MAX_BYTES: usize = 511 << 20;

/// Checks the text of a JSON array: its size and its depth.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(args: &str) -> Result<(), String> {
    size(args.len())?;
    // The array stands in the payload's object.
    match nesting(args) + 1 {
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

/// How many arrays and objects stand within each other at most.
fn nesting(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    deepest
}

fn skip_string(bytes: &mut std::str::Bytes<'_>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => _ = bytes.next(),
            _ => {}
        }
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
        assert_eq!(nesting(r#"[[1],"[[[\"[[",{"a{":[{}]}]"#), 4);
        assert_eq!(nesting("[]"), 1);
    }

    #[test]
    fn ten_megabytes_pass_and_what_redis_cannot_keep_is_refused() {
        assert_eq!(check(&format!("[\"{}\"]", "[".repeat(10 << 20))), Ok(()));
        assert_eq!(size(MAX_BYTES), Ok(()));
        assert!(size(MAX_BYTES + 1).unwrap_err().contains("bytes"));
    }
}
