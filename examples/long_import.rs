//! A long import that goes on where it was: it is interrupted by a deploy and ended by the next process.
//!
//! `cargo run --example long_import`. The store is that of `SANCHO_STORE`, else memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sancho::iterate::{self, Source};
use sancho::runtime::Server;
use sancho::{Client, Config, job};
use tokio::sync::Notify;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How many rows are imported, and whether all are.
static IMPORTED: AtomicU64 = AtomicU64::new(0);
static COMPLETE: Notify = Notify::const_new();

#[derive(serde::Deserialize)]
struct Row {
    id: u64,
    name: String,
}

/// Imports one row. Done twice, it comes to the same: what is killed amid a row does that row again.
#[job(queue = "imports", iterate = rows, on_resume = resumed, on_complete = imported)]
async fn import_row(row: Row, _file: String) -> Result<(), Error> {
    if row.name.is_empty() {
        return Err(format!("row {} has no name", row.id).into());
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    IMPORTED.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

fn rows(file: String, cursor: Option<u64>) -> impl Source<Item = Row, Cursor = u64> {
    iterate::csv(file, cursor)
}

async fn resumed(_file: String) {
    println!("going on after {} rows", IMPORTED.load(Ordering::Relaxed));
}

async fn imported(_file: String) {
    println!("{} rows are imported", IMPORTED.load(Ordering::Relaxed));
    COMPLETE.notify_one();
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("users.csv");
    let lines: String = (1..=300).map(|id| format!("{id},user {id}\n")).collect();
    std::fs::write(&file, format!("id,name\n{lines}"))?;

    let store = std::env::var("SANCHO_STORE").unwrap_or("memory:".into());
    let client = Client::connect(Config::new().store(store)).await?;
    let file = file.display().to_string();
    import_row::set()
        .client(&client)
        .perform_async(file)
        .await?;

    let server = || {
        Server::builder()
            .client(&client)
            .queues(["imports"])
            .build()
    };
    let some = async {
        while IMPORTED.load(Ordering::Relaxed) < 100 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    server()?.run_until(some).await?;
    println!("a deploy");
    server()?.run_until(COMPLETE.notified()).await?;
    Ok(())
}
