//! The arguments of a worker program.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap::builder::NonEmptyStringValueParser;
use clap::error::ErrorKind;

use super::config::{self, Environment, Loaded, Settings, Store};
use super::log::{Format, Level};
use super::refuse;
use super::services::Services;
use crate::Result;
use crate::client::GivenUrl;
use crate::engine::ServedQueue;
use crate::job;

/// Runs background jobs.
#[derive(Clone, Debug, Parser)]
#[command(name = "sancho", version, about)]
pub(super) struct Args {
    /// How many jobs run at once [default: 10]
    #[arg(short, long, value_name = "N", value_parser = concurrency, allow_negative_numbers = true)]
    concurrency: Option<usize>,

    /// A queue to serve, NAME or NAME,WEIGHT; repeat it for more, most urgent first [default: default]
    #[arg(short, long = "queue", value_name = "NAME", value_parser = queue)]
    queues: Vec<ServedQueue>,

    /// How long a stop waits for running jobs [default: 25]
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true)]
    timeout: Option<Duration>,

    /// The store: redis://host:6379/0, rediss://..., sqlite:path/to/file.db
    /// [default: SANCHO_STORE, REDIS_PROVIDER or REDIS_URL, the file's, else sqlite:sancho.db]
    #[arg(long, value_name = "URL", value_parser = url)]
    store: Option<GivenUrl>,

    /// The config file, YAML as Sidekiq's or TOML [default: config/sidekiq.yml, if it is there]
    #[arg(short = 'C', long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The environment: which section of the config file counts [default: APP_ENV, RAILS_ENV or RACK_ENV, else development]
    #[arg(short, long, value_name = "ENV", value_parser = NonEmptyStringValueParser::new())]
    environment: Option<String>,

    /// What others see this process called [default: the program's name]
    #[arg(short = 'g', long, value_name = "TAG")]
    tag: Option<String>,

    /// Sidekiq's own: accepted, and not heeded
    #[arg(short, long, value_name = "PATH", hide = true)]
    require: Option<PathBuf>,

    /// How a line of the log looks: pretty, plain, logfmt or json [default: pretty on a terminal, else plain]
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    log_format: Option<Format>,

    /// A file that is written every 5 s while all of the worker is alive, for probes
    #[arg(long, value_name = "PATH")]
    alive_file: Option<PathBuf>,

    /// Where metrics and probes are answered, PORT (on 127.0.0.1) or ADDRESS:PORT: /metrics, /livez, /readyz [default: nowhere]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    health: Option<SocketAddr>,

    #[command(flatten)]
    pub(super) services: Services,

    /// Checks the settings, the jobs and whether the store answers, and starts nothing: exit code 0 where all is right, else 2;
    /// --check=settings asks no store
    #[arg(long, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    pub(super) check: Option<Check>,

    /// Logs more: the start and end of every job
    #[arg(short, long)]
    verbose: bool,
}

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Check {
    /// Whether the store answers, too.
    All,
    /// What can be checked without the store.
    Settings,
}

impl Args {
    /// Those of this program. Wrong ones end it with exit code 2, `-h` and `-V` with 0.
    pub(super) fn of_process() -> Self {
        Self::try_parse().unwrap_or_else(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => error.exit(),
            _ => refuse(&one_line(&error)),
        })
    }

    /// Those of these words; what is wrong with them, in one line.
    pub(super) fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let words = ["worker"].into_iter().chain(words);
        Self::try_parse_from(words).map_err(|error| one_line(&error))
    }

    /// What they, the environment and the config file say together.
    ///
    /// # Errors
    /// A file that cannot be read; what is wrong in it or in the environment.
    pub(super) fn load(&self, variables: &Environment) -> Result<Loaded> {
        let (file, environment) = (self.config.clone(), self.environment.clone());
        let mut loaded = config::load(&self.settings(), file, environment, variables)?;
        if self.require.is_some() {
            let warning = "-r is Ruby's own and not heeded: jobs are linked into the program";
            loaded.warnings.push(warning.into());
        }
        Ok(loaded)
    }

    fn settings(&self) -> Settings {
        let store = |url: &GivenUrl| Store {
            url: url.clone(),
            setting: "--store".into(),
        };
        Settings {
            concurrency: self.concurrency,
            queues: (!self.queues.is_empty()).then(|| self.queues.clone()),
            timeout: self.timeout,
            tag: self.tag.clone(),
            store: self.store.as_ref().map(store),
            log_level: self.verbose.then_some(Level::Debug),
            log_format: self.log_format,
            alive_file: self.alive_file.clone(),
            health: self.health,
            ..Settings::default()
        }
    }
}

/// Any text: it is read where it is known what it is for.
fn url(text: &str) -> Result<GivenUrl, String> {
    Ok(text.into())
}

fn concurrency(text: &str) -> Result<usize, String> {
    config::concurrency(text).map_err(give)
}

fn queue(text: &str) -> Result<ServedQueue, String> {
    config::queue(text).map_err(give)
}

fn seconds(text: &str) -> Result<Duration, String> {
    config::seconds(text).map_err(give)
}

fn format(text: &str) -> Result<Format, String> {
    config::format(text).map_err(give)
}

fn address(text: &str) -> Result<SocketAddr, String> {
    config::address(text).map_err(give)
}

fn give(allowed: String) -> String {
    format!("give {allowed}")
}

/// The error of wrong arguments without what clap says on further lines, but for its tips.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let said = text.strip_prefix("error: ").unwrap_or(&text);
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut line = lines.next().unwrap_or_default().to_owned();
    for more in
        lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
    {
        line.push_str(if line.ends_with(':') { " " } else { "; " });
        line.push_str(more);
    }
    line.push_str(" (-h shows what there is)");
    // What was given may hold escapes that a terminal obeys.
    job::one_line(without_secrets(&line)).to_string()
}

/// What was given stands in quotes, and may be the URL of a store that was meant for another argument.
fn without_secrets(line: &str) -> String {
    let shown = |part: &str| match part.contains('@') {
        true => format!("{:?}", GivenUrl::from(part)),
        false => part.to_owned(),
    };
    line.split('\'').map(shown).collect::<Vec<_>>().join("'")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(args: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from(["worker"].iter().chain(args))
    }

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_table_of_settings_names_arguments_that_there_are() {
        let command = Args::command();
        let mut named: Vec<String> = command
            .get_arguments()
            .filter(|argument| !argument.is_hide_set())
            // What starts a service beside the worker is no setting of it.
            .filter(|argument| !["config", "check", "web"].contains(&argument.get_id().as_str()))
            .map(
                |argument| match (argument.get_short(), argument.get_long()) {
                    (Some(short), _) => format!("-{short}"),
                    (None, long) => format!("--{}", long.unwrap_or_default()),
                },
            )
            .collect();
        named.sort();
        assert_eq!(named, config::arguments());
    }

    #[test]
    fn arguments_are_read_in_sidekiqs_forms() {
        let args = parse(&[
            "-c",
            "50",
            "-q",
            "critical,2",
            "-q",
            "default",
            "-t",
            "5",
            "-e",
            "staging",
            "-g",
            "web",
            "--store",
            "memory:",
            "-r",
            "./app",
            "-v",
        ])
        .unwrap();
        let settings = args.settings();
        assert_eq!(settings.concurrency, Some(50));
        assert_eq!(settings.timeout, Some(Duration::from_secs(5)));
        assert_eq!(settings.tag.as_deref(), Some("web"));
        assert_eq!(
            settings.store.map(|store| store.url),
            Some("memory:".into())
        );
        assert_eq!(settings.log_level, Some(Level::Debug));
        let queues = settings.queues.unwrap();
        let queues: Vec<_> = queues.iter().map(|it| (it.name(), it.weight())).collect();
        assert_eq!(queues, [("critical", 2), ("default", 0)]);
        let loaded = args.load(&Environment::default()).unwrap();
        assert_eq!(loaded.environment, "staging");
        assert!(loaded.warnings[0].starts_with("-r is Ruby's own"));
    }

    #[test]
    fn wrong_arguments_are_refused_by_name_in_one_line() {
        for (args, parts) in [
            (
                &["-c", "0"][..],
                &["--concurrency", "give a number from 1 to 100000"][..],
            ),
            (
                &["-c", "many"],
                &["'many'", "--concurrency", "give a number"],
            ),
            (&["-c"], &["--concurrency", "value is required"]),
            (&["-t", "-1"], &["--timeout", "give seconds"]),
            (&["-c", "-1"], &["--concurrency", "give a number"]),
            (&["-t", "soon"], &["--timeout", "give seconds"]),
            (&["-q", ""], &["--queue"]),
            (&["-q", "a,b"], &["--queue", "NAME,WEIGHT"]),
            (&["-q", "a b"], &["--queue", "white space"]),
            (
                &["--log-format", "xml"],
                &["--log-format", "pretty, plain, logfmt, json"],
            ),
            (
                &["--concurency", "5"],
                &["--concurency", "similar", "--concurrency"],
            ),
            (&["serve"], &["unexpected argument 'serve'"]),
            (&["redis://:secret@h/1"], &["'redis://***@h/1'"]),
            (&["--stroe=redis://:secret@h"], &["--stroe", "--store"]),
            (&["-e", ""], &["--environment"]),
            (&["--check=nothing"], &["--check", "settings"]),
            (&["-c", "5\u{1b}[31m\u{7}"], &["--concurrency"]),
            (
                &["-c", "1", "-c", "2"],
                &["--concurrency", "multiple times"],
            ),
        ] {
            let line = one_line(&parse(args).unwrap_err());
            for part in parts {
                assert!(line.contains(part), "{args:?}: {line}");
            }
            assert!(!line.contains(char::is_control), "{line:?}");
            assert!(!line.contains("secret"), "{line}");
        }
    }
}
