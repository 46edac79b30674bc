//! A worker as a program: arguments, log and signals around a [`Server`](crate::runtime::Server).

mod args;
mod signals;

use std::io::IsTerminal;

use clap::Parser;
use tracing::level_filters::LevelFilter;

use crate::Result;
use crate::engine::ServerBuilder;
use crate::job::blocking;
use args::Args;

/// Runs a worker for all jobs that are linked into this program, until SIGTERM or SIGINT. This is all that the `main` of a
/// worker needs:
///
/// ```no_run
/// #[tokio::main]
/// async fn main() -> sancho::Result<()> {
///     sancho::runtime::serve().await
/// }
/// ```
///
/// Reads the program's arguments (`-h` shows them). Jobs that need `#[state]` want
/// [`ServerBuilder::serve`]. Logs to standard error, unless the program has set a `tracing` subscriber already.
///
/// # Errors
/// A store that cannot be used or reached; jobs that cannot be served. The message says what to do. Arguments that are wrong
/// end the program with exit code 2.
pub async fn serve() -> Result<()> {
    ServerBuilder::default().serve().await
}

impl ServerBuilder {
    /// As [`serve()`](crate::runtime::serve()), with what was said to this builder; the program's arguments win over it.
    ///
    /// ```no_run
    /// # struct Pool;
    /// #[tokio::main]
    /// async fn main() -> sancho::Result<()> {
    ///     sancho::runtime::Server::builder().state(Pool).serve().await
    /// }
    /// ```
    ///
    /// # Errors
    /// Those of [`serve()`](crate::runtime::serve()).
    pub async fn serve(self) -> Result<()> {
        let args = Args::parse();
        log(args.verbose);
        let stop = signals::stop()?;
        let server = args.apply(self).build()?;
        let orders = signals::obey(server.handle())?;
        let ended = server.run_until(stop).await;
        orders.abort();
        ended?;
        leave();
        Ok(())
    }
}

fn log(verbose: bool) {
    let level = if verbose {
        LevelFilter::DEBUG
    } else {
        LevelFilter::INFO
    };
    let ansi = std::io::stderr().is_terminal();
    // Another subscriber is the program's own choice, and stays.
    let _ = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(ansi)
        .with_writer(std::io::stderr)
        .try_init();
}

/// Ends the process where a thread of it would hold it up for ever: blocking jobs cannot be stopped from outside, and their
/// claims have been handed back.
fn leave() {
    let stuck = blocking::running();
    if stuck > 0 {
        tracing::warn!(
            stuck,
            "{stuck} blocking jobs did not stop; the process ends without them"
        );
        std::process::exit(0);
    }
}
