//! How a Redis must be set up, so that it loses no job.

use std::collections::HashMap;

use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::{CustomCommand, Value};

use super::keys::Keys;

/// Warns of a server that loses jobs. It is used all the same: it may be set so for a reason.
pub(super) async fn warn(client: &Client, keys: &Keys) -> Result<(), Error> {
    let memory = info(client, keys, "memory").await?;
    if let Some(policy) = value(&memory, "maxmemory_policy:").filter(|&it| it != "noeviction") {
        tracing::warn!(
            policy,
            "this Redis drops keys, jobs among them, when its memory is full: set maxmemory-policy to noeviction, not {policy}"
        );
    }
    let persistence = info(client, keys, "persistence").await?;
    if value(&persistence, "aof_enabled:") == Some("0") && saves_nothing(client, keys).await {
        tracing::warn!(
            "this Redis keeps nothing on disk, and loses all jobs when it ends: set appendonly to yes, or save to a time"
        );
    }
    Ok(())
}

/// A section of what the server tells of itself.
pub(super) async fn info(client: &Client, keys: &Keys, section: &str) -> Result<String, Error> {
    let info = CustomCommand::new_static("INFO", keys.slot(), false);
    client.custom(info, vec![section]).await
}

fn value<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name))
}

/// Whether it certainly makes no snapshots. Those who run a Redis for others often do not let it be asked.
async fn saves_nothing(client: &Client, keys: &Keys) -> bool {
    let config = CustomCommand::new_static("CONFIG", keys.slot(), false);
    let args: Vec<Value> = vec!["GET".into(), "save".into()];
    let answer: Result<HashMap<String, String>, Error> = client.custom(config, args).await;
    answer.is_ok_and(|settings| settings.get("save").is_some_and(String::is_empty))
}
