//! The arguments of a worker program.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Parser;

use super::services::Services;
use crate::engine::ServerBuilder;
use crate::job::check_queue_name;

/// Runs background jobs.
#[derive(Debug, Parser)]
#[command(name = "sancho", version, about)]
pub(super) struct Args {
    /// How many jobs run at once [default: 10]
    #[arg(short, long, value_name = "N")]
    concurrency: Option<NonZeroUsize>,

    /// A queue to serve; repeat it for more, most urgent first [default: default]
    #[arg(short, long = "queue", value_name = "NAME", value_parser = queue)]
    queues: Vec<String>,

    /// How long a stop waits for running jobs [default: 25]
    #[arg(short, long, value_name = "SECONDS", value_parser = clap::value_parser!(u32))]
    timeout: Option<u32>,

    /// The store: redis://host:6379/0, rediss://..., sqlite:path/to/file.db
    /// [default: SANCHO_STORE, REDIS_PROVIDER or REDIS_URL, else sqlite:sancho.db]
    #[arg(long, value_name = "URL")]
    store: Option<String>,

    #[command(flatten)]
    pub(super) services: Services,

    /// Logs more: the start and end of every job
    #[arg(short, long)]
    pub(super) verbose: bool,
}

impl Args {
    /// The builder with what the arguments say.
    pub(super) fn apply(self, mut builder: ServerBuilder) -> ServerBuilder {
        if let Some(concurrency) = self.concurrency {
            builder = builder.concurrency(concurrency.get());
        }
        if !self.queues.is_empty() {
            builder = builder.queues(self.queues);
        }
        if let Some(seconds) = self.timeout {
            builder = builder.shutdown_timeout(Duration::from_secs(seconds.into()));
        }
        if let Some(store) = self.store {
            builder = builder.store(store);
        }
        builder
    }
}

fn queue(name: &str) -> Result<String, String> {
    check_queue_name(name).map(|()| name.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn arguments_are_read_in_sidekiqs_forms() {
        let args = Args::try_parse_from([
            "worker", "-c", "50", "-q", "critical", "-q", "default", "-t", "5", "--store",
            "memory:",
        ])
        .unwrap();
        assert_eq!(args.concurrency.map(NonZeroUsize::get), Some(50));
        assert_eq!(
            (args.queues, args.timeout, args.store.as_deref()),
            (
                vec!["critical".into(), "default".into()],
                Some(5),
                Some("memory:")
            )
        );
    }

    #[test]
    fn wrong_arguments_are_refused_by_name() {
        for (args, named) in [
            (["-c", "0"], "--concurrency"),
            (["-c", "many"], "--concurrency"),
            (["-t", "-1"], "-1"),
            (["-q", ""], "empty"),
            (["-q", "a,2"], "','"),
        ] {
            let error = Args::try_parse_from(["worker"].into_iter().chain(args)).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(named), "{error}");
        }
    }
}
