//! A worker as a program: arguments, log and signals around a [`Server`](crate::runtime::Server).

mod args;
mod services;
mod signals;

use std::io::IsTerminal;
use std::thread;
use std::time::Duration;

use clap::Parser;
use tracing::level_filters::LevelFilter;

use crate::Result;
use crate::engine::ServerBuilder;
use crate::job::blocking;
use args::Args;

/// How long a program may take to end once its server has stopped.
const LAST_GRACE: Duration = Duration::from_millis(250);

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
/// [`ServerBuilder::serve`]. Once it is told to stop, the process ends within the shutdown timeout (`-t`) and 3 s, whatever holds it up;
/// a program that wants to do more after that calls [`Server::run_until`](crate::runtime::Server::run_until). Logs to standard error, unless the program has set a `tracing` subscriber already.
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
        let services = args.services.clone();
        services.asked()?;
        let mut server = args.apply(self).build()?;
        let longest = server.longest_stop() + LAST_GRACE;
        let orders = signals::obey(server.handle())?;
        let services = services.start(&mut server).await?;
        let ended = server.run_and_leave(stop, || end_after(longest)).await;
        orders.abort();
        drop(services);
        leave(ended? + blocking::running());
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

/// Ends the process if it is still there then: what users' code has started may hold up the end of the runtime, or keep every
/// thread of it busy.
fn end_after(time: Duration) {
    let end = move || {
        sleep(time);
        tracing::warn!("something holds the process up that is no job; it ends without that");
        std::process::exit(0);
    };
    // Without that thread, such a process has to be killed.
    let _ = thread::Builder::new().name("sancho-stop".into()).spawn(end);
}

#[expect(
    clippy::disallowed_methods,
    reason = "the runtime's own timers stand still while users' code holds its threads"
)]
fn sleep(time: Duration) {
    thread::sleep(time);
}

/// Ends the process where a thread of it would hold it up for ever: neither a blocking job nor an async one that never gives
/// its thread back can be stopped from outside, and their claims have been handed back.
fn leave(stuck: usize) {
    if stuck > 0 {
        tracing::warn!(
            stuck,
            "{stuck} jobs did not stop; the process ends without them"
        );
        std::process::exit(0);
    }
}
