//! What failures have in common.

use std::hash::{DefaultHasher, Hash, Hasher};

use sancho::api::JobRecord;

use crate::app::App;
use crate::format::cut;
use crate::language::Words;
use crate::pages::masked;

/// How much of a message counts, in characters.
const LENGTH: usize = 200;

/// What stands for the class of an error where there is none.
const NO_JOB: &str = "no job";
const NO_ERROR: &str = "no error";

/// What the failures of one kind have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Group {
    pub(crate) class: String,
    pub(crate) error: String,
    /// The first line of the message, without what differs from job to job.
    pub(crate) message: String,
}

impl Group {
    /// By what may be shown of it.
    pub(crate) fn of(app: &App, job: &JobRecord) -> Self {
        Self::with(job, masked::error_message(app, job))
    }

    fn with(job: &JobRecord, message: Option<String>) -> Self {
        let class = job.display_class();
        let message = message.unwrap_or_default();
        let (error, message) = match job.error_class() {
            Some(error) => (error, common(&message)),
            None => match job.problem() {
                Some(_) => (NO_JOB.to_owned(), "its payload cannot be read".to_owned()),
                None => (NO_ERROR.to_owned(), common(&message)),
            },
        };
        Self {
            class,
            error,
            message,
        }
    }

    /// The class of its errors, or that there is none.
    pub(crate) fn error(&self, w: &'static Words) -> &str {
        match &*self.error {
            NO_JOB => &w.no_job,
            NO_ERROR => &w.no_error,
            error => error,
        }
    }

    pub(crate) fn message(&self, w: &'static Words) -> &str {
        if self.error == NO_JOB {
            &w.unreadable
        } else {
            &self.message
        }
    }

    /// Its name in forms.
    pub(crate) fn id(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }
}

/// A message without what differs from job to job: numbers, ids and what is quoted become `…`.
fn common(message: &str) -> String {
    let first = message
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let first = cut(first.trim(), LENGTH * 4);
    let mut common = String::with_capacity(first.len());
    let mut rest = &*first;
    while let Some(next) = rest.chars().next() {
        let taken = quoted(rest).or_else(|| word(rest));
        match taken {
            Some((length, shown)) => {
                // What was a list of such is one.
                if shown != "…" || !common.ends_with('…') {
                    common.push_str(shown);
                }
                rest = &rest[length..];
            }
            None => {
                common.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    cut(&common, LENGTH)
}

/// What is quoted, if a quote begins here and ends.
fn quoted(text: &str) -> Option<(usize, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '`'))?;
    let end = text[1..].find(quote)?;
    Some((end + 2, "…"))
}

/// The word that begins here: as it is, or, where it has digits, without what differs.
fn word(text: &str) -> Option<(usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    let word = &text[..end];
    if word.is_empty() {
        return None;
    }
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let is_hex = word.len() >= 8 && word.chars().all(|c| c.is_ascii_hexdigit());
    // `utf8` and `HTTP2` are names, `user42` and `8f3a…` are not.
    let differs = digits > 1 || (digits > 0 && (digits == word.len() || is_hex));
    Some((end, if differs { "…" } else { word }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_without_what_differs() {
        let cases = [
            ("timeout after 5003 ms", "timeout after … ms"),
            ("user 42 not found", "user … not found"),
            ("no such file: \"/tmp/a b\"", "no such file: …"),
            ("key `a` is \"open", "key … is \"open"),
            (
                "8f3a9c2e-0b1d-4c7e-9f00-abcdef012345 is gone",
                "…-…-…-…-… is gone",
            ),
            ("bad utf8 in HTTP2 frame", "bad utf8 in HTTP2 frame"),
            ("\n\n  first\nsecond", "first"),
            ("", ""),
        ];
        for (message, shown) in cases {
            assert_eq!(common(message), shown);
        }
        assert!(common(&"é".repeat(5_000)).chars().count() <= LENGTH + 1);
    }

    #[test]
    fn failures_of_one_kind_have_one_id() {
        let job = |class: &str, message: &str| {
            let error = serde_json::json!({"class": class, "args": [], "error_class": "E", "error_message": message});
            let job = JobRecord::read(error.to_string());
            Group::with(&job, job.error_message())
        };
        assert_eq!(job("A", "user 1").id(), job("A", "user 22").id());
        assert_ne!(job("A", "user 1").id(), job("B", "user 1").id());
        assert_eq!(Group::with(&JobRecord::read("{bad"), None).error, "no job");
    }
}
