//! Measures how fast sancho drains a queue: jobs a second, CPU a job, and on Redis round trips a job.
//!
//! ```console
//! cargo run --release -p sancho-bench -- drain --jobs 500000 --concurrency 50
//! cargo run --release -p sancho-bench -- drain --store sqlite
//! cargo run --release -p sancho-bench -- idle
//! cargo run --release -p sancho-bench -- pickup
//! ```
//!
//! With `--store redis` (the default) it starts a private `redis-server` without persistence on a free port of the loopback
//! interface, and stops it.

mod redis;
mod usage;

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand, ValueEnum};
use redis::Redis;
use sancho::runtime::Server;
use sancho::{Client, Config, job};
use usage::Usage;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Fills a queue with no-op jobs of an integer and a 100-byte string, and drains it
    Drain {
        /// How many jobs
        #[arg(long, default_value_t = 300_000)]
        jobs: u64,
        /// How many of them run at once
        #[arg(long, default_value_t = 50)]
        concurrency: usize,
        /// Where they are kept
        #[arg(long, value_enum, default_value = "redis")]
        store: Kind,
        /// How often it is done
        #[arg(long, default_value_t = 3)]
        rounds: u32,
    },
    /// An idle worker: its CPU and its round trips
    Idle {
        /// For how long it is watched
        #[arg(long, default_value_t = 20)]
        seconds: u64,
        /// Where its jobs would be kept
        #[arg(long, value_enum, default_value = "redis")]
        store: Kind,
    },
    /// From `perform_async` in one process to the job's first line in another, idle one
    Pickup {
        /// How many pushes
        #[arg(long, default_value_t = 300)]
        pushes: u64,
        /// Where they are kept
        #[arg(long, value_enum, default_value = "redis")]
        store: Kind,
    },
    /// The worker of `pickup`
    #[command(hide = true)]
    Worker {
        /// The store's URL
        url: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Redis,
    Sqlite,
    Memory,
}

static DONE: AtomicU64 = AtomicU64::new(0);

#[job]
async fn no_op(n: u64, text: String) {
    let _ = (n, text);
    DONE.fetch_add(1, Ordering::Relaxed);
}

/// Prints how long ago it was pushed, by the clock that all processes of a machine share.
#[job]
async fn pick_up(pushed_ns: u64) {
    println!("{}", usage::now_ns().saturating_sub(pushed_ns));
}

#[tokio::main]
async fn main() -> Result<()> {
    match Args::parse().what {
        What::Drain {
            jobs,
            concurrency,
            store,
            rounds,
        } => {
            for _ in 0..rounds {
                drain(jobs, concurrency, store).await?;
            }
            Ok(())
        }
        What::Idle { seconds, store } => idle(Duration::from_secs(seconds), store).await,
        What::Pickup { pushes, store } => pickup(pushes, store).await,
        What::Worker { url } => {
            let server = Server::builder().store(url).only::<pick_up>().build()?;
            Ok(server.run().await?)
        }
    }
}

/// A store of its own, and what it leaves behind.
struct Bed {
    redis: Option<Redis>,
    folder: Option<std::path::PathBuf>,
    url: String,
}

impl Bed {
    fn make(kind: Kind) -> Result<Self> {
        match kind {
            Kind::Redis => {
                let redis = Redis::start()?;
                let url = redis.url();
                Ok(Self {
                    redis: Some(redis),
                    folder: None,
                    url,
                })
            }
            Kind::Sqlite => {
                let folder = std::env::temp_dir().join(format!(
                    "sancho-bench-{}-{}",
                    std::process::id(),
                    usage::now_ns()
                ));
                std::fs::create_dir(&folder)?;
                let url = format!("sqlite:{}", folder.join("bench.db").display());
                Ok(Self {
                    redis: None,
                    folder: Some(folder),
                    url,
                })
            }
            Kind::Memory => Ok(Self {
                redis: None,
                folder: None,
                url: "memory:".into(),
            }),
        }
    }

    fn usage(&self) -> Result<Usage> {
        Usage::read(self.redis.as_ref())
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

async fn drain(jobs: u64, concurrency: usize, kind: Kind) -> Result<()> {
    let bed = Bed::make(kind)?;
    let client = Client::connect(Config::new().store(&bed.url)).await?;
    let text = "x".repeat(100);
    let start = Instant::now();
    no_op::set()
        .client(&client)
        .perform_bulk((0..jobs).map(move |n| (n, text.clone())))
        .await?;
    let filled = start.elapsed();

    DONE.store(0, Ordering::Relaxed);
    let server = Server::builder()
        .client(&client)
        .only::<no_op>()
        .concurrency(concurrency)
        .build()?;
    let before = bed.usage()?;
    let start = Instant::now();
    let drained = async {
        while DONE.load(Ordering::Relaxed) < jobs {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    server.run_until(drained).await?;
    let took = start.elapsed();
    let used = bed.usage()?.since(&before);
    println!(
        "drained {jobs} jobs at concurrency {concurrency}: {:.0} jobs/s, {:.1} us of CPU a job ({}), {} round trips a job; filled at {:.0} jobs/s",
        rate(jobs, took),
        used.total().as_secs_f64() * 1e6 / jobs as f64,
        used.per_job(jobs),
        used.trips_per_job(jobs),
        rate(jobs, filled)
    );
    Ok(())
}

fn rate(jobs: u64, took: Duration) -> f64 {
    jobs as f64 / took.as_secs_f64()
}

async fn idle(time: Duration, kind: Kind) -> Result<()> {
    let bed = Bed::make(kind)?;
    let server = Server::builder()
        .store(&bed.url)
        .only::<no_op>()
        .concurrency(50)
        .build()?;
    let url = bed.url.clone();
    let watched = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = bed.usage();
        tokio::time::sleep(time).await;
        if let (Ok(before), Ok(after)) = (before, bed.usage()) {
            let used = after.since(&before);
            println!(
                "idle on {url} for {time:?}: {:.2} % of a core (worker), {:.2} round trips/s",
                100.0 * used.own.as_secs_f64() / time.as_secs_f64(),
                used.trips as f64 / time.as_secs_f64()
            );
        }
    };
    server.run_until(watched).await?;
    Ok(())
}

async fn pickup(pushes: u64, kind: Kind) -> Result<()> {
    use tokio::io::{AsyncBufReadExt, BufReader};

    let bed = Bed::make(kind)?;
    let mut worker = tokio::process::Command::new(std::env::current_exe()?)
        .args(["worker", &bed.url])
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(worker.stdout.take().ok_or("the worker has no output")?).lines();
    let client = Client::connect(Config::new().store(&bed.url)).await?;
    let mut took = Vec::new();
    for _ in 0..pushes {
        pick_up::set()
            .client(&client)
            .perform_async(usage::now_ns())
            .await?;
        let line = lines.next_line().await?.ok_or("the worker ended")?;
        took.push(line.parse::<u64>()?);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The first ones find a worker that is still starting.
    let mut took = took.split_off(took.len() / 10);
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100] as f64 / 1e6;
    println!(
        "from push to first line in another, idle process: median {:.2} ms, p90 {:.2} ms, p99 {:.2} ms",
        at(50),
        at(90),
        at(99)
    );
    worker.kill().await?;
    Ok(())
}
