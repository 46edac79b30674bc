//! Pushing a job.

use serde_json::json;
use serde_json::value::RawValue;

use crate::Session;
use crate::args::Enqueue;
use crate::error::{Error, Result};

pub(crate) async fn enqueue(session: &Session, job: Enqueue) -> Result<()> {
    let Enqueue {
        class,
        args,
        queue,
        retry,
        tags,
        when,
    } = job;
    let args = args
        .iter()
        .map(|text| argument(text))
        .collect::<Result<Vec<_>>>()?;
    let mut set = session
        .api
        .client()
        .job(class.as_str())
        .queue(queue.as_str());
    if let Some(retry) = retry {
        set = set.retry(retry);
    }
    if !tags.is_empty() {
        set = set.tags(tags);
    }
    let push = match (when.after, when.at) {
        (Some(after), _) => set.perform_in(after, &args),
        (None, Some(at)) => set.perform_at(at, &args),
        (None, None) => set.perform_async(&args),
    };
    let jid = push.await?;
    let line = format!("{jid} {class} in {queue}");
    session.out.done(
        &line,
        &json!({ "jid": jid.as_str(), "class": class, "queue": queue }),
    )
}

pub(super) fn argument(text: &str) -> Result<Box<RawValue>> {
    RawValue::from_string(text.to_owned()).map_err(|error| {
        let quoted = serde_json::Value::from(text);
        Error::usage(format!(
            "the argument `{text}` is not JSON ({error}): a text is written as '{quoted}'"
        ))
    })
}
