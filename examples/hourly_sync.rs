//! An hourly sync with arguments from a schedule file: `schedule.yml` beside this, which sidekiq-cron reads as well.
//!
//! `cargo run --example hourly_sync` runs until the entry that comes each second has come twice, and the hourly one once, by
//! hand.

use std::path::Path;

use sancho::api::Api;
use sancho::runtime::Server;
use sancho::{Client, Config, job};
use tokio::sync::mpsc;

type Synced = mpsc::UnboundedSender<String>;

/// Syncs what it is told to.
#[job]
async fn data_sync(#[state] synced: &Synced, what: String) -> Result<(), String> {
    println!("syncing {what}");
    synced.send(what).map_err(|error| error.to_string())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = std::env::var("SANCHO_STORE").unwrap_or("memory:".into());
    let client = Client::connect(Config::new().store(store)).await?;
    let (synced, mut syncs): (Synced, _) = mpsc::unbounded_channel();
    // `serve()` reads `config/schedule.yml` where there is one.
    let server = Server::builder()
        .client(&client)
        .only::<data_sync>()
        .state(synced)
        .schedule_file(Path::new(env!("CARGO_MANIFEST_DIR")).join("schedule.yml"))
        .build()?;
    let cron = Api::new(&client).cron();
    server
        .run_until(async {
            for _ in 0..2 {
                syncs.recv().await;
            }
            if let Err(error) = cron.run_now("hourly_sync").await {
                println!("{error}");
            }
            while syncs.recv().await.is_some_and(|what| what != "full") {}
        })
        .await?;
    for entry in cron.list().await? {
        println!(
            "{} made {} ticks, and ran {} times",
            entry.name,
            entry.ticks,
            entry.history().len()
        );
    }
    Ok(())
}
