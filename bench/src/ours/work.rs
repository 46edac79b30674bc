//! `work URL JOB CONCURRENCY JOBS`: a worker.

use sancho::runtime::Server;
use tokio::signal::unix::{SignalKind, signal};

use super::connect;
use super::progress::Progress;
use crate::Result;

/// What it is asked for; the job is whatever stands in its queues.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    url: String,
    job: String,
    concurrency: usize,
    jobs: u64,
    /// The queues, most urgent first
    #[arg(long, value_delimiter = ',', default_value = "default")]
    queues: Vec<String>,
    /// Says how many jobs ended every so many
    #[arg(long, default_value_t = 0)]
    every: u64,
}

/// Works until it is asked to end.
pub(crate) async fn work(options: Options) -> Result<()> {
    Progress::begin(options.jobs, options.every);
    let mut stop = signal(SignalKind::terminate())?;
    let server = Server::builder()
        .client(&connect(&options.url).await?)
        .queues(options.queues)
        .concurrency(options.concurrency)
        .build()?;
    server.run_until(async { _ = stop.recv().await }).await?;
    Ok(())
}
