//! A daily clean-up: a job that is enqueued by itself, at 3:00 in Berlin. Ruby has sidekiq-cron for this.
//!
//! `cargo run --example cron_cleanup` does not wait for the night: it runs the entry now, and ends.

use std::path::Path;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use sancho::api::Api;
use sancho::runtime::Server;
use sancho::{Client, Config, job};
use tokio::sync::Notify;

/// What says that it has been cleaned up.
struct Done(Notify);

/// Deletes what is older than so many days. A job with `cron` has no arguments, or only such as may be left out.
#[job(queue = "low", cron = "0 3 * * *", tz = "Europe/Berlin")]
async fn daily_cleanup(
    #[state] folder: &Path,
    #[state] done: &Done,
    days: Option<u64>,
) -> std::io::Result<()> {
    let oldest = SystemTime::now() - Duration::from_secs(days.unwrap_or(7) * 24 * 60 * 60);
    let mut files = tokio::fs::read_dir(folder).await?;
    while let Some(file) = files.next_entry().await? {
        if file.metadata().await?.modified()? < oldest {
            tokio::fs::remove_file(file.path()).await?;
            println!("deleted {}", file.file_name().display());
        }
    }
    done.0.notify_one();
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = std::env::var("SANCHO_STORE").unwrap_or("memory:".into());
    let client = Client::connect(Config::new().store(store)).await?;
    let folder = tempfile::tempdir()?;
    let old = std::fs::File::create(folder.path().join("old.log"))?;
    old.set_modified(SystemTime::now() - Duration::from_secs(8 * 24 * 60 * 60))?;
    std::fs::File::create(folder.path().join("new.log"))?;

    let done = std::sync::Arc::new(Done(Notify::new()));
    let server = Server::builder()
        .client(&client)
        .queues(["low"])
        .only::<daily_cleanup>()
        .state_arc::<Path>(folder.path().into())
        .state_arc(done.clone())
        .build()?;
    let shutdown = async {
        let cron = Api::new(&client).cron();
        // The server tells the store what it has when it starts.
        while cron
            .get("daily_cleanup")
            .await
            .is_ok_and(|entry| entry.is_none())
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for next in cron.next_runs("daily_cleanup", 3).await.unwrap_or_default() {
            println!("comes at {}", DateTime::<Utc>::from(next));
        }
        match cron.run_now("daily_cleanup").await {
            Ok(jid) => println!("runs now as {jid}"),
            Err(error) => println!("{error}"),
        }
        done.0.notified().await;
    };
    server.run_until(shutdown).await?;
    println!("left: {}", std::fs::read_dir(folder.path())?.count());
    Ok(())
}
