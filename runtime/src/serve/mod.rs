//! A worker as a program: arguments, log and signals around a [`Server`].

mod alive;
mod args;
mod config;
#[doc(hidden)]
pub mod fuzzed;
mod health;
mod log;
mod reload;
mod services;
mod signals;
mod systemd;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::client::StoreUrl;
use crate::engine::{ServedQueue, Server, ServerBuilder};
use crate::job::blocking;
use crate::{Error, Result};
use alive::AliveFile;
use args::Args;
use config::{Environment, Loaded};
use health::Health;
use log::Log;
use reload::Reload;
use signals::Signals;
use systemd::Systemd;

/// How long a program may take to end once its server has stopped.
const LAST_GRACE: Duration = Duration::from_millis(250);

/// The environment in which a store has to be named.
const PRODUCTION: &str = "production";

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
/// Its settings come from the program's arguments (`-h` shows them), the environment and the config file, in this order: Sidekiq's
/// `config/sidekiq.yml`, or the same keys in TOML. Signals are Sidekiq's: TSTP is quiet, TERM and INT stop, a second INT hands back what runs
/// at once, TTIN logs what runs; HUP reads the config file and the schedule file anew. Under systemd it is a `Type=notify` service. See the
/// [guide](crate::guide::serving).
///
/// Jobs that need `#[state]` want
/// [`ServerBuilder::serve`]. Once it is told to stop, the process ends within the shutdown timeout (`-t`) and 3 s, whatever holds it up;
/// a program that wants to do more after that calls [`Server::run_until`](crate::runtime::Server::run_until). Logs to standard error, unless the program has set a `tracing` subscriber already.
///
/// A start that fails ends the program with exit code 2, and one line on standard error that says what is wrong and what to do: wrong settings, jobs that cannot be
/// served, a store that cannot be used or reached.
///
/// # Errors
/// A defect of ours that ends the server.
pub async fn serve() -> Result<()> {
    ServerBuilder::default().serve().await
}

impl ServerBuilder {
    /// As [`serve()`](crate::runtime::serve()), with what was said to this builder; arguments, environment and config file win over
    /// it.
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
        let args = Args::of_process();
        let start = Start::prepare(&args, self).unwrap_or_else(|error| refuse(&error.to_string()));
        if args.check {
            start.report();
            std::process::exit(0);
        }
        start.run(args).await
    }
}

/// A server and what surrounds it, checked.
struct Start {
    server: Server,
    loaded: Loaded,
    log: Log,
}

impl Start {
    /// # Errors
    /// Wrong settings; jobs that cannot be served.
    fn prepare(args: &Args, builder: ServerBuilder) -> Result<Self> {
        args.services.asked()?;
        let loaded = args.load(&Environment::of_process())?;
        let settings = loaded.settings.clone();
        let log = Log::start(settings.log_format, settings.log_level);
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        match &settings.store {
            Some(store) => StoreUrl::parse(&store.url, &store.setting)?.check(&store.setting)?,
            None if loaded.environment == PRODUCTION && !builder.names_store() => {
                return Err(Error::config(
                    "in production a store has to be named: set REDIS_URL or SANCHO_STORE, or give --store",
                ));
            }
            None => {}
        }
        let server = settings.apply(builder).default_schedule_file().build()?;
        Ok(Self {
            server,
            loaded,
            log,
        })
    }

    /// Says what would be started.
    fn report(&self) {
        let file = self.loaded.file.as_ref();
        let file = file.map_or_else(|| "no config file".into(), |it| it.display().to_string());
        println!(
            "the settings are right: environment {}, {file}, {} jobs, store {}",
            self.loaded.environment,
            self.server.jobs(),
            self.server.store()
        );
        for capsule in self.server.handle().capsules() {
            let queues = capsule.queues();
            let queues: Vec<_> = queues.iter().map(ServedQueue::name).collect();
            println!(
                "capsule {}: {} jobs at once, {} order of {}",
                capsule.name(),
                capsule.concurrency(),
                capsule.mode(),
                queues.join(", ")
            );
        }
    }

    async fn run(self, args: Args) -> Result<()> {
        let wanted = args.services.clone();
        let Self {
            mut server,
            loaded,
            log,
        } = self;
        let signals = Signals::catch().unwrap_or_else(|error| refuse(&error.to_string()));
        if let Some(file) = &loaded.file {
            let (file, environment) = (file.display(), &loaded.environment);
            tracing::info!(%file, environment, "the settings are those of {file} in {environment}");
        }
        let health = match loaded.settings.health {
            Some(address) => Some(Health::bind(address).await),
            None => None,
        };
        let health = health
            .transpose()
            .unwrap_or_else(|error| refuse(&error.to_string()));
        let longest = server.longest_stop() + LAST_GRACE;
        let handle = server.handle();
        let systemd = Arc::new(Systemd::of_process());
        let watch = systemd.watch(handle.clone());
        let alive_file = loaded.settings.alive_file.clone().map(AliveFile::at);
        let alive_file = alive_file
            .transpose()
            .unwrap_or_else(|error| refuse(&error.to_string()));
        let keep = alive_file.as_ref().map(|file| file.keep(handle.clone()));
        let health = health.map(|health| health.serve(handle.clone()));
        let reload = Reload::new(args, log, handle.clone(), loaded.settings);
        let reloading = systemd.clone();
        let orders = signals.obey(handle, move || reloading.reloading(|| reload.run()));
        let stopping = || {
            systemd.stopping();
            end_after(longest);
        };
        let services = match wanted.start(&mut server).await {
            Ok(services) => services,
            Err(error) => refuse(&error.to_string()),
        };
        let ended = server.run_and_leave(std::future::pending(), stopping).await;
        drop(services);
        orders.abort();
        watch.abort();
        keep.inspect(AbortHandle::abort);
        health.inspect(AbortHandle::abort);
        drop(alive_file);
        match ended {
            Ok(stuck) => leave(stuck + blocking::running()),
            Err(error) if error.is_store() || error.is_config() => refuse(&error.to_string()),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Ends a program that cannot start.
fn refuse(why: &str) -> ! {
    let line: Vec<_> = why.split_whitespace().collect();
    eprintln!("error: {}", without_controls(&line.join(" ")));
    std::process::exit(2);
}

/// A text without what a terminal obeys. Nothing of it is cut off: it may name many mistakes.
fn without_controls(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for part in text.chars() {
        if part.is_control() {
            shown.extend(part.escape_unicode());
        } else {
            shown.push(part);
        }
    }
    shown
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
