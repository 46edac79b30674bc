//! Cancelling jobs.

use sancho::api::Cancelled;
use sancho::store::PlaceName;
use serde_json::json;

use crate::Session;
use crate::error::{Error, Result};
use crate::output::one_line;

pub(crate) async fn cancel(session: &Session, jids: &[String]) -> Result<()> {
    let mut shown = Vec::with_capacity(jids.len());
    let mut missing = Vec::new();
    for jid in jids {
        let (name, line) = match session.api.cancel(jid).await? {
            Cancelled::Removed(place) => (
                "removed",
                format!("{jid} is removed from {}", place_name(&place)),
            ),
            Cancelled::Told => ("told", format!("{jid} runs, and is told to stop")),
            Cancelled::Asked { process } => {
                let line = format!(
                    "{jid} is run by a Sidekiq of Ruby, {process}, which stops it if it iterates"
                );
                ("asked", line)
            }
            Cancelled::NotFound => {
                missing.push(jid.as_str());
                ("not found", format!("{jid} neither waits nor runs"))
            }
            other => ("other", format!("{jid}: {other:?}")),
        };
        if !session.out.json {
            session.out.say(&one_line(&line, usize::MAX))?;
        }
        shown.push(json!({ "jid": jid, "cancelled": name }));
    }
    if session.out.json {
        session.out.json(&shown)?;
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Error::failed(format!("not found: {}", missing.join(", ")))),
    }
}

fn place_name(place: &PlaceName) -> String {
    match place {
        PlaceName::Queue(name) => format!("the queue {name}"),
        PlaceName::Timed(set) => set.name().to_owned(),
    }
}
