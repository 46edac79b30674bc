//! `apalis` with `apalis-redis`.

use std::sync::Arc;

use apalis::layers::WorkerBuilderExt;
use apalis::prelude::{BoxDynError, Data, TaskSink, WorkerBuilder};
use apalis::prelude::BackendFactory;
use apalis_redis::factory::RedisStorageFactory;
use apalis_redis::{Client, Config, RedisStorage};
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
    // The way that is woken up by pushes; the plain storage looks again at its next heartbeat, after up to 30 s.
    let client = Client::open(format!("{url}?protocol=resp3"))?;
    let mut factory = RedisStorageFactory::new(client).await?;
    let backend = BackendFactory::<NoOp>::create_with_config(&mut factory, config(concurrency))?;
    let worker = WorkerBuilder::new("worker")
        .backend(backend)
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

async fn storage(url: &str, page: usize) -> Result<RedisStorage<NoOp>> {
    let redis = apalis_redis::connect(url).await?;
    Ok(RedisStorage::new(redis).with_config(config(page)))
}

/// A page as large as the concurrency, and no results kept, as the others keep none.
fn config(page: usize) -> Config {
    Config::default()
        .queue("default")
        .batch_size(page)
        .persist_results(false)
}
