//! `apalis` with `apalis-redis`.

use std::sync::Arc;
use std::time::Duration;

use apalis::layers::WorkerBuilderExt;
use apalis::prelude::{BoxDynError, Data, TaskSink, WorkerBuilder};
use apalis_redis::{Config, RedisStorage};
use serde::{Deserialize, Serialize};

use crate::progress::{Progress, now_ns, text, until};
use crate::{Body, Pushes, Result};

#[derive(Clone, Debug, Deserialize, Serialize)]
struct NoOp {
    integer: u64,
    text: String,
}

#[derive(Clone)]
struct Served {
    body: Body,
    progress: Arc<Progress>,
}

async fn run(job: NoOp, served: Data<Served>) -> std::result::Result<(), BoxDynError> {
    served.body.run(&served.progress, job.integer).await;
    Ok(())
}

/// Works until it is killed.
pub async fn work(
    url: &str,
    body: Body,
    concurrency: usize,
    progress: Arc<Progress>,
) -> Result<()> {
    let worker = WorkerBuilder::new("worker")
        .backend(storage(url, concurrency).await?)
        .concurrency(concurrency)
        .data(Served { body, progress })
        .build(run);
    worker.run().await?;
    Ok(())
}

/// Pushes.
pub async fn push(url: &str, pushes: Pushes) -> Result<()> {
    let storage = storage(url, 1_000).await?;
    let job = |integer| NoOp {
        integer,
        text: text(),
    };
    println!("first");
    if pushes.bulk {
        let mut storage = storage;
        let mut left = pushes.jobs;
        while left > 0 {
            let slice = left.min(1_000);
            storage.push_bulk((0..slice).map(job).collect()).await?;
            left -= slice;
        }
    } else if pushes.every_ns > 0 {
        let mut storage = storage;
        let start = now_ns();
        for n in 0..pushes.jobs {
            until(start + n * pushes.every_ns).await;
            storage.push(job(now_ns())).await?;
        }
    } else {
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..pushes.callers {
            let mut storage = storage.clone();
            let own =
                pushes.jobs / pushes.callers + u64::from(caller < pushes.jobs % pushes.callers);
            callers.spawn(async move {
                for n in 0..own {
                    storage
                        .push(job(n))
                        .await
                        .map_err(|error| error.to_string())?;
                }
                std::result::Result::<(), String>::Ok(())
            });
        }
        while let Some(caller) = callers.join_next().await {
            caller??;
        }
    }
    println!("last");
    Ok(())
}

/// A page as large as the concurrency, and no results kept, as the others keep none. This version puts every push into its set of
/// scheduled tasks, and looks there at a heartbeat: each second instead of the default of 30.
async fn storage(url: &str, page: usize) -> Result<RedisStorage<NoOp>> {
    let redis = apalis_redis::connect(url).await?;
    let config = Config::default()
        .queue("default")
        .batch_size(page)
        .heartbeat_interval(Duration::from_secs(1))
        .persist_results(false);
    Ok(RedisStorage::new(redis).with_config(config))
}
