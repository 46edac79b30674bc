//! `rusty-sidekiq`.

use std::sync::Arc;

use async_trait::async_trait;
use bb8::Pool;
use sidekiq::{Processor, ProcessorConfig, RedisConnectionManager, RedisPool, Worker};

use crate::progress::{Progress, now_ns, text, until};
use crate::{Body, Pushes, Result};

#[derive(Clone)]
struct NoOp {
    body: Body,
    progress: Arc<Progress>,
}

#[async_trait]
impl Worker<(u64, String)> for NoOp {
    async fn perform(&self, (integer, _text): (u64, String)) -> sidekiq::Result<()> {
        self.body.run(&self.progress, integer).await;
        Ok(())
    }
}

/// Works until it is killed.
pub async fn work(
    url: &str,
    body: Body,
    concurrency: usize,
    progress: Arc<Progress>,
) -> Result<()> {
    // A connection for each job that runs, and some for its own duties.
    let redis = pool(url, u32::try_from(concurrency)? + 10).await?;
    let config = ProcessorConfig::default().num_workers(concurrency);
    let mut processor = Processor::new(redis, vec!["default".into()]).with_config(config);
    processor.register(NoOp { body, progress });
    processor.run().await;
    Ok(())
}

/// Pushes; it has no bulk.
pub async fn push(url: &str, pushes: Pushes) -> Result<()> {
    let redis = pool(url, u32::try_from(pushes.callers)? + 1).await?;
    if pushes.bulk {
        return Err("rusty-sidekiq has no bulk push".into());
    }
    println!("first");
    if pushes.every_ns > 0 {
        let start = now_ns();
        for n in 0..pushes.jobs {
            until(start + n * pushes.every_ns).await;
            NoOp::perform_async(&redis, (now_ns(), text())).await?;
        }
    } else {
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..pushes.callers {
            let redis = redis.clone();
            let own =
                pushes.jobs / pushes.callers + u64::from(caller < pushes.jobs % pushes.callers);
            callers.spawn(async move {
                for n in 0..own {
                    NoOp::perform_async(&redis, (n, text())).await?;
                }
                sidekiq::Result::Ok(())
            });
        }
        while let Some(caller) = callers.join_next().await {
            caller??;
        }
    }
    println!("last");
    Ok(())
}

async fn pool(url: &str, connections: u32) -> Result<RedisPool> {
    let manager = RedisConnectionManager::new(url)?;
    Ok(Pool::builder().max_size(connections).build(manager).await?)
}
