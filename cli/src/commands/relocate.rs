//! Moving everything to another store.

use sancho::api::Api;
use sancho::{Client, Config};
use serde_json::json;

use crate::ask::Ask;
use crate::error::{Error, Result};
use crate::output::{Output, grouped};

pub(crate) async fn relocate(out: Output, ask: Ask, from: &str, to: &str) -> Result<()> {
    if from == to {
        return Err(Error::usage(format!(
            "--from and --to are the same store, {from}"
        )));
    }
    let (source, from) = connect("--from", from).await?;
    let (destination, to) = connect("--to", to).await?;
    let stats = source.stats().await?;
    let total = stats.enqueued + stats.scheduled + stats.retries + stats.dead;
    ask.before(&format!("{} jobs leave {from} for {to}", grouped(total)))?;
    let bar = out.bar(total, "moved");
    let mut relocation = source.move_to(&destination);
    let (mut moved, mut already) = (0, 0);
    while let Some(progress) = relocation.next().await? {
        (moved, already) = (progress.moved, progress.already);
        bar.set_position(moved);
    }
    bar.finish_and_clear();
    let mut line = format!("{} jobs moved", grouped(moved));
    if already > 0 {
        line.push_str(&format!(
            ", {} of which were there already from a move that was cut off",
            grouped(already)
        ));
    }
    out.done(&line, &json!({ "moved": moved, "already": already }))
}

/// The store, and its name without its password.
async fn connect(option: &str, url: &str) -> Result<(Api, String)> {
    let wrong = |error: sancho::Error| Error::usage(format!("{option}: {error}"));
    let config = Config::new().store(url);
    let name = config.store_name().map_err(wrong)?;
    let client = Client::connect(config).await.map_err(wrong)?;
    Ok((Api::new(&client), name))
}
