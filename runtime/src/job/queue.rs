//! Queue names.

/// The longest name of a queue that jobs may be pushed to, in bytes.
pub const MAX_QUEUE_NAME: usize = 255;

/// Checks a name that jobs are to be pushed to. What Ruby pushed under other names is still served.
///
/// # Errors
/// What is wrong with it: empty, too long, control characters, white space or a comma.
pub fn check_queue_name(name: &str) -> Result<(), String> {
    let wrong = if name.is_empty() {
        "it is empty".to_owned()
    } else if name.len() > MAX_QUEUE_NAME {
        format!("it has {} bytes, more than {MAX_QUEUE_NAME}", name.len())
    } else if let Some(bad) = name
        .chars()
        .find(|&c| c.is_control() || c.is_whitespace() || c == ',')
    {
        format!("it contains {bad:?}; a name has no control characters, white space or commas")
    } else {
        return Ok(());
    };
    Err(format!("{name:?} cannot be the name of a queue: {wrong}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_script_pass_and_unusable_ones_say_why() {
        for name in ["default", "a:b", "höher", "low-2_x.y", "*"] {
            assert_eq!(check_queue_name(name), Ok(()));
        }
        let long = "x".repeat(256);
        for (name, why) in [
            ("", "empty"),
            (&long, "256 bytes"),
            ("a b", "' '"),
            ("a,b", "','"),
            ("a\n", "'\\n'"),
            ("a\u{a0}", "white space"),
        ] {
            assert!(
                check_queue_name(name).unwrap_err().contains(why),
                "{name:?}"
            );
        }
    }
}
