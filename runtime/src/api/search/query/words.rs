//! The words that a query is made of.

use super::invalid;
use crate::api::ApiError;

/// A word of a query: what stands before its first colon outside of quotes, and the rest.
pub(super) struct Word {
    pub(super) negated: bool,
    pub(super) key: Option<String>,
    pub(super) value: String,
}

/// The words of a query.
///
/// # Errors
/// A quote that is not closed; a qualifier, or a minus, with nothing behind it.
pub(super) fn words(text: &str) -> Result<Vec<Word>, ApiError> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Ok(words);
        }
        let negated = chars.next_if_eq(&'-').is_some();
        let (mut key, mut value, mut quoted, mut was_quoted) = (None, String::new(), false, false);
        while let Some(c) = chars.next_if(|c| quoted || !c.is_whitespace()) {
            match c {
                '"' => {
                    quoted = !quoted;
                    was_quoted = true;
                }
                '\\' if quoted => value.extend(chars.next()),
                ':' if !was_quoted && key.is_none() && is_key(&value) => {
                    key = Some(std::mem::take(&mut value));
                }
                c => value.push(c),
            }
        }
        if quoted {
            return Err(invalid(format!("a quote is not closed in `{text}`")));
        }
        if value.is_empty() && !was_quoted {
            let what = key.map_or_else(|| "-".to_owned(), |key| format!("{key}:"));
            return Err(invalid(format!(
                "`{what}` has nothing to look for: write it without a space, as in `class:WelcomeEmail`"
            )));
        }
        words.push(Word {
            negated,
            key,
            value,
        });
    }
}

/// Whether a colon behind this makes it a qualifier. A class such as `Mail::Welcome` and a time are none.
fn is_key(text: &str) -> bool {
    text.split('.')
        .next()
        .is_some_and(|start| !start.is_empty() && start.chars().all(|c| c.is_ascii_lowercase()))
}
