//! The worker and the pusher of other Rust job systems. `sancho-bench` starts them; it says what the arguments and the lines mean.

mod apalis_redis;
mod progress;
mod rusty_sidekiq;

use std::error::Error;

use progress::Progress;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What a job does, so that the same worker serves every workload.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// Nothing.
    NoOp,
    /// Awaits so many milliseconds.
    Wait(u64),
    /// Keeps the CPU busy for so many microseconds.
    Burn(u64),
    /// Notes how long ago the integer, a time, was.
    PickUp,
    /// The same, and then awaits 10 ms.
    PickUpWait,
}

impl Body {
    fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "no_op" => Self::NoOp,
            "wait_1ms" => Self::Wait(1),
            "wait_10ms" => Self::Wait(10),
            "burn_100us" => Self::Burn(100),
            "pick_up" => Self::PickUp,
            "pick_up_wait" => Self::PickUpWait,
            other => return Err(format!("there is no job {other}").into()),
        })
    }

    async fn run(self, progress: &Progress, integer: u64) {
        match self {
            Self::NoOp => {}
            Self::PickUp => progress.note(progress::now_ns().saturating_sub(integer)),
            Self::PickUpWait => {
                progress.note(progress::now_ns().saturating_sub(integer));
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            Self::Wait(ms) => tokio::time::sleep(std::time::Duration::from_millis(ms)).await,
            Self::Burn(us) => {
                let end = std::time::Instant::now() + std::time::Duration::from_micros(us);
                while std::time::Instant::now() < end {
                    std::hint::spin_loop();
                }
            }
        }
        progress.ended();
    }
}

/// What a pusher does.
#[derive(Clone, Copy, Debug)]
pub struct Pushes {
    /// How many jobs.
    pub jobs: u64,
    /// How many callers push one at a time.
    pub callers: u64,
    /// How far apart they begin, if they do so by the clock; 0: each when the one before it has ended.
    pub every_ns: u64,
    /// Whether they go in slices of 1,000.
    pub bulk: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match *args.as_slice() {
        [system, "work", url, job, concurrency, jobs] => {
            let progress = Progress::of(jobs.parse()?);
            let body = Body::parse(job)?;
            let concurrency = concurrency.parse()?;
            match system {
                "rusty-sidekiq" => rusty_sidekiq::work(url, body, concurrency, progress).await,
                "apalis-redis" => apalis_redis::work(url, body, concurrency, progress).await,
                other => Err(format!("there is no system {other}").into()),
            }
        }
        [system, "push", url, job, how, jobs, number] => {
            let _ = Body::parse(job)?;
            let number = number.parse()?;
            let pushes = Pushes {
                jobs: jobs.parse()?,
                callers: if how == "single" { number } else { 1 },
                every_ns: if how == "paced" { number } else { 0 },
                bulk: how == "bulk",
            };
            match system {
                "rusty-sidekiq" => rusty_sidekiq::push(url, pushes).await,
                "apalis-redis" => apalis_redis::push(url, pushes).await,
                other => Err(format!("there is no system {other}").into()),
            }
        }
        _ => Err("use SYSTEM work URL JOB CONCURRENCY JOBS, or SYSTEM push URL JOB single|bulk|paced JOBS NUMBER".into()),
    }
}
