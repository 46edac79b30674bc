//! What may be shown of a job, and found by what is shown, where arguments are masked.

use std::borrow::Cow;

use sancho::api::JobRecord;

use crate::app::App;
use crate::json::{self, MASKED};

use super::{arguments, masks};

/// A text that is as short as this stands everywhere, and says nothing.
const SHORT: usize = 2;

/// What replaces a value in a text.
const HIDDEN: &str = "[masked]";

/// A text about a job, such as the message of its error, without the values that are masked in its payload.
pub(crate) fn text<'a>(app: &App, job: &JobRecord, text: Cow<'a, str>) -> Cow<'a, str> {
    if app.options.masked.is_empty() {
        return text;
    }
    let secrets = secrets(app, job);
    let shown = secrets.iter().fold(text.into_owned(), |text, secret| {
        text.replace(&**secret, HIDDEN)
    });
    shown.into()
}

/// The message of the error of a job.
pub(crate) fn error_message(app: &App, job: &JobRecord) -> Option<String> {
    let message = job.error_message()?;
    Some(text(app, job, message.into()).into_owned())
}

/// What is wrong with a payload that is no job. Where something is masked, it is not said in words that may repeat a part of it.
pub(crate) fn problem(app: &App, job: &JobRecord) -> Option<String> {
    let problem = job.problem()?;
    Some(if app.options.masked.is_empty() {
        problem
    } else {
        "the payload is not a job".to_owned()
    })
}

/// The values that are masked, the longest first, since one may be a part of another.
fn secrets(app: &App, job: &JobRecord) -> Vec<String> {
    let masks = masks(app);
    let mut found = Vec::new();
    for (name, arg) in super::unmasked_arguments(job) {
        match name {
            Some(name) if masks.hide(name) => json::hidden_all(&arg, &mut found),
            _ => json::hidden(&arg, masks, &mut found),
        }
    }
    for (name, value) in job.fields() {
        if masks.hide(name) {
            json::hidden_all(value, &mut found);
        } else {
            json::hidden(value, masks, &mut found);
        }
    }
    found.retain(|text| text.chars().count() > SHORT);
    found.sort_by_key(|text| std::cmp::Reverse(text.len()));
    found.dedup();
    found
}

/// The payload as it may be shown: with its masked arguments replaced; nothing of one that cannot be read, where something is masked.
pub(crate) fn payload(app: &App, job: &JobRecord) -> String {
    if app.options.masked.is_empty() {
        return job.text().into_owned();
    }
    if job.fields().next().is_none() {
        return MASKED.to_owned();
    }
    let masks = masks(app);
    let fields = job.fields().map(|(name, value)| {
        let value = match name {
            _ if masks.hide(name) => MASKED.to_owned(),
            "args" => args(app, job).unwrap_or_else(|| json::compact(value, masks)),
            // Packed, so nobody can say what is in it.
            "error_backtrace" => MASKED.to_owned(),
            "tags" => {
                let tags = job.tags().into_iter();
                let tags: Vec<_> = tags.map(|tag| text(app, job, tag.into())).collect();
                serde_json::json!(tags).to_string()
            }
            _ if value.starts_with('"') => match serde_json::from_str::<String>(value) {
                Ok(said) => serde_json::Value::from(&*text(app, job, said.into())).to_string(),
                Err(_) => MASKED.to_owned(),
            },
            _ => json::compact(value, masks),
        };
        format!("{}:{value}", serde_json::Value::from(name))
    });
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

/// The arguments of a job that is linked into this program, of which some are masked by the names of their parameters.
fn args(app: &App, job: &JobRecord) -> Option<String> {
    let args = arguments(app, job);
    args.first()?.0?;
    let args: Vec<String> = args
        .iter()
        .map(|(_, arg)| json::compact(arg, masks(app)))
        .collect();
    Some(format!("[{}]", args.join(",")))
}

/// Whether what is shown of a payload contains this text: what is masked is not found by it either.
pub(crate) fn contains(app: &App, job: &JobRecord, text: &str) -> bool {
    if app.options.masked.is_empty() {
        let (payload, text) = (job.payload(), text.as_bytes());
        return payload.windows(text.len().max(1)).any(|part| part == text);
    }
    payload(app, job).contains(text)
}
