//! The log of a worker, where its program has none of its own: lines on standard error.

mod line;

use std::io::IsTerminal;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use line::Lines;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// For people, with colours.
    Pretty,
    /// The same without colours.
    Plain,
    /// `key=value`.
    Logfmt,
    /// An object a line, with the keys of Sidekiq's JSON log.
    Json,
}

impl Format {
    pub(super) const ALL: [Self; 4] = [Self::Pretty, Self::Plain, Self::Logfmt, Self::Json];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pretty => "pretty",
            Self::Plain => "plain",
            Self::Logfmt => "logfmt",
            Self::Json => "json",
        }
    }

    /// The format where none was chosen.
    fn usual() -> Self {
        if std::io::stderr().is_terminal() {
            Self::Pretty
        } else {
            Self::Plain
        }
    }
}

/// What is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Level {
    pub(super) const ALL: [Self; 5] = [
        Self::Error,
        Self::Warn,
        Self::Info,
        Self::Debug,
        Self::Trace,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    /// More than `info` is meant for jobs: what libraries tell of themselves beyond that hides it.
    fn filter(self) -> Targets {
        let level = match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        };
        Targets::new()
            .with_default(level)
            .with_targets(LIBRARIES.map(|library| (library, level.min(LevelFilter::INFO))))
    }
}

/// The libraries that this one stands on.
const LIBRARIES: [&str; 5] = ["fred", "rustls", "mio", "tokio", "hyper"];

/// The log, whose level can be changed.
#[derive(Debug)]
pub(super) struct Log {
    /// None where the program has a log of its own.
    filter: Option<reload::Handle<Targets, Registry>>,
}

impl Log {
    /// Begins to log, unless the program has set a subscriber already: that is its own choice, and stays.
    pub(super) fn start(format: Option<Format>, level: Option<Level>) -> Self {
        let filter = level.unwrap_or(Level::Info).filter();
        let (filter, handle) = reload::Layer::new(filter);
        let lines = Lines::new(format.unwrap_or_else(Format::usual));
        let layer = tracing_subscriber::fmt::layer()
            .event_format(lines)
            .with_writer(std::io::stderr);
        let started = tracing_subscriber::registry()
            .with(filter)
            .with(layer)
            .try_init();
        Self {
            filter: started.is_ok().then_some(handle),
        }
    }

    pub(super) fn set_level(&self, level: Option<Level>) {
        if let Some(handle) = &self.filter {
            // It fails only where the subscriber is gone.
            let _ = handle.reload(level.unwrap_or(Level::Info).filter());
        }
    }
}
