//! How many allocations does a job cost? Drains a queue in this process, with an allocator that counts:
//! `allocations URL CONCURRENCY JOBS`.

use std::alloc::System;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sancho::runtime::Server;
use sancho::{Client, Config, job};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

static ENDED: AtomicU64 = AtomicU64::new(0);

#[job]
async fn no_op(integer: u64, text: String) {
    let _ = (integer, text);
    ENDED.fetch_add(1, Ordering::Relaxed);
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().ok_or("use: allocations URL CONCURRENCY JOBS");
    let (url, concurrency, jobs) = (next()?, next()?.parse()?, next()?.parse::<u64>()?);
    let client = Client::connect(Config::new().store(url)).await?;
    let text = "x".repeat(100);
    no_op::set()
        .client(&client)
        .perform_bulk((0..jobs).map(move |n| (n, text.clone())))
        .await?;
    let server = Server::builder()
        .client(&client)
        .concurrency(concurrency)
        .build()?;
    let drained = async {
        let mut region = Region::new(ALLOCATOR);
        while ENDED.load(Ordering::Relaxed) < jobs {
            // The start is not counted.
            if ENDED.load(Ordering::Relaxed) == 0 {
                region.reset();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let counted = region.change();
        println!("allocations {}", counted.allocations);
        println!("reallocations {}", counted.reallocations);
        println!("bytes {}", counted.bytes_allocated);
    };
    server.run_until(drained).await?;
    Ok(())
}
