//! Moving everything to another store.

use sancho::api::Api;
use sancho::{Client, Config};
use serde_json::json;

use crate::ask::Ask;
use crate::error::{Error, Result};
use crate::output::{Output, grouped};

pub(crate) async fn relocate(out: Output, ask: Ask, from: &str, to: &str) -> Result<()> {
    let same = from == to;
    let (from, to) = (named("--from", from)?, named("--to", to)?);
    if same {
        return Err(Error::usage(format!(
            "--from and --to are the same store, {}",
            from.name
        )));
    }
    super::refuse_missing(&from.name)?;
    let (source, destination) = (from.connect().await?, to.connect().await?);
    let (from, to) = (from.name, to.name);
    let stats = source.stats().await?;
    let total = stats.enqueued + stats.scheduled + stats.retries + stats.dead;
    ask.before(&format!(
        "{} jobs leave {from} for {to}, with the pauses, the cron and the counters of all days; metrics by class and the marks of deploys stay, since they fade by themselves",
        grouped(total)
    ))?;
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

/// A store that an option names.
struct Named {
    option: &'static str,
    config: Config,
    /// Without its password.
    name: String,
}

fn named(option: &'static str, url: &str) -> Result<Named> {
    let config = Config::new().store(url);
    let name = config
        .store_name()
        .map_err(|error| Error::usage(format!("{option}: {error}")))?;
    Ok(Named {
        option,
        config,
        name,
    })
}

impl Named {
    async fn connect(&self) -> Result<Api> {
        let client = Client::connect(self.config.clone()).await;
        let client = client.map_err(|error| Error::usage(format!("{}: {error}", self.option)))?;
        Ok(Api::new(&client))
    }
}
