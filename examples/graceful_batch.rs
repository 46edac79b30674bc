//! A job that makes way for a deploy by itself: it asks whether the process is stopping, and leaves off where it is.
//!
//! `cargo run --example graceful_batch`. The store is that of `SANCHO_STORE`, else memory.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sancho::runtime::Server;
use sancho::{Client, Config, Context, Outcome, job};
use tokio::sync::Notify;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Stands for a database.
#[derive(Default)]
struct Records {
    processed: Mutex<Vec<u32>>,
    all: Notify,
}

impl Records {
    async fn process(&self, record: u32) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.processed().push(record);
    }

    fn processed(&self) -> std::sync::MutexGuard<'_, Vec<u32>> {
        self.processed.lock().expect("no thread panics with it")
    }
}

/// Processes the records of a batch. When the process stops it goes back to the head of its queue, which costs no retry.
#[job(queue = "batches")]
async fn batch_processing(
    records: u32,
    #[state] database: &Records,
    #[context] cx: &Context,
) -> Result<Outcome, Error> {
    let first = cx.cursor().await?.unwrap_or(0);
    for record in first..records {
        database.process(record).await;
        if cx.checkpoint(&(record + 1)).await?.should_stop() {
            println!("stopping after record {record}");
            return Ok(Outcome::Interrupted);
        }
    }
    database.all.notify_one();
    Ok(Outcome::Done)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let store = std::env::var("SANCHO_STORE").unwrap_or("memory:".into());
    let client = Client::connect(Config::new().store(store)).await?;
    let batch = batch_processing::set().client(&client);
    batch.perform_async(200).await?;

    let database = Arc::new(Records::default());
    let server = || {
        let server = Server::builder().client(&client).queues(["batches"]);
        server.state_arc(database.clone()).build()
    };
    let some = async {
        while database.processed().len() < 50 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    server()?.run_until(some).await?;
    server()?.run_until(database.all.notified()).await?;
    let processed = database.processed().len();
    println!("{processed} records are processed, each once");
    Ok(())
}
