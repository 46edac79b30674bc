//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use sancho::job::parse_span;

/// Looks at and acts on the jobs of Sancho, or of any Ruby Sidekiq.
///
/// The store is that of --store, else of SANCHO_STORE, else of the variable that REDIS_PROVIDER names, else of REDIS_URL,
/// else sqlite:sancho.db.
#[derive(Parser)]
#[command(
    name = "sancho",
    version,
    arg_required_else_help = true,
    max_term_width = 110
)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed or not found, 2 wrong usage or no store (nothing was done)."
)]
pub(crate) struct Args {
    /// The store: redis://host:6379/0, rediss://..., redis+unix:///path, or sqlite:path/to/file.db
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) store: Option<String>,

    /// Prints JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(crate) color: Color,

    /// Does not ask before it destroys something
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

/// Has no `Debug`, as [`Args`] and [`Web`] have none: there are passwords in it.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// The numbers of the store
    Stats {
        /// And of the last days
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=1_825))]
        days: Option<u32>,
    },
    /// The queues: how many jobs wait in them, and for how long
    Queues,
    /// The processes that take jobs
    Processes,
    /// The jobs that run
    Busy,
    /// Lists, shows and looks for jobs
    #[command(subcommand)]
    Jobs(Jobs),
    /// Tries jobs of the retry set, the dead set or the schedule again, now
    Retry(Chosen),
    /// Moves jobs of the retry set or the schedule to the dead set
    Kill(Chosen),
    /// Deletes jobs, wherever they wait
    Delete(Chosen),
    /// Moves jobs of the retry set or the schedule to another time
    Reschedule {
        #[command(flatten)]
        chosen: Chosen,
        #[command(flatten)]
        when: Required,
    },
    /// Cancels jobs: those that wait are removed, those that run are told, and run no more
    Cancel {
        #[arg(required = true, value_name = "JID")]
        jids: Vec<String>,
    },
    /// Jobs that are enqueued by themselves
    #[command(subcommand)]
    Cron(Cron),
    /// Stops taking jobs from a queue
    Pause { queue: String },
    /// Takes jobs from a paused queue again
    Resume { queue: String },
    /// Deletes all jobs of a place
    Clear { place: Place },
    /// Pushes a job by its class
    Enqueue(Enqueue),
    /// Tells a process to take no more jobs
    Quiet(Processes),
    /// Tells a process to stop
    Stop(Processes),
    /// Tells a process to log what it is doing
    Dump(Processes),
    /// Writes jobs as lines of JSON
    Export {
        /// Which ones; all places where none is named
        places: Vec<Place>,
        /// The file; standard output where it is left out
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Puts exported jobs back where they stood
    Import {
        /// The file; `-` is standard input
        file: PathBuf,
    },
    /// Moves everything to another store: from SQLite to Redis, when one machine is no longer enough
    Move {
        /// The store that is emptied
        #[arg(long, value_name = "URL")]
        from: String,
        /// The store that it goes to
        #[arg(long, value_name = "URL")]
        to: String,
    },
    /// Proves that the store is whole: each job in one place, each claim with an owner
    Doctor {
        /// Mends what is wrong
        #[arg(long)]
        fix: bool,
    },
    /// A live screen of queues, running jobs, processes, retries and dead jobs, with keys to act
    Top {
        /// How often it is refreshed
        #[arg(long, default_value = "1s", value_name = "TIME", value_parser = refresh)]
        every: Duration,
    },
    /// Serves the dashboard, of any Sidekiq too
    Web(Web),
    /// Prints what a shell needs to complete this command
    Completions { shell: Shell },
    /// Prints the manual page
    Man,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Jobs {
    /// The jobs of a place
    List {
        place: Place,
        /// So many
        #[arg(short = 'n', long, default_value_t = 25, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
        limit: u64,
    },
    /// Everything that is known of a job
    Show { jid: String },
    /// Looks for jobs: 'class:WelcomeEmail queue:mailers args:42 tag:vip error:timeout state:retry since:1h -class:Noisy'
    Search {
        /// What to look for; write `--` before one that begins with a `-`
        #[arg(required = true)]
        query: Vec<String>,
        /// So many
        #[arg(short = 'n', long, default_value_t = 25, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
        limit: u64,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Cron {
    /// All entries
    List,
    /// An entry, its next ticks and its last runs
    Show { name: String },
    /// Adds an entry
    Add(CronAdd),
    /// Removes an entry
    Remove { name: String },
    /// Lets an entry come again
    Enable { name: String },
    /// Lets an entry come no more until it is enabled
    Disable { name: String },
    /// Enqueues the job of an entry now
    Run { name: String },
    /// Loads a schedule file: sidekiq-cron's, or the same in TOML
    Load { file: PathBuf },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CronAdd {
    /// Its name
    pub(crate) name: String,
    /// When: five fields, six with the seconds first, or @daily and its like
    pub(crate) cron: String,
    /// The class, or the job's name on the wire
    pub(crate) class: String,
    /// The arguments, each as JSON
    #[arg(allow_negative_numbers = true)]
    pub(crate) args: Vec<String>,
    /// The time zone, such as Europe/Berlin; UTC where it is left out
    #[arg(long, value_name = "ZONE")]
    pub(crate) tz: Option<String>,
    /// The queue; that of the job where it is left out
    #[arg(short, long)]
    pub(crate) queue: Option<String>,
    /// What people read about it
    #[arg(long)]
    pub(crate) description: Option<String>,
}

/// Which jobs.
#[derive(Debug, ClapArgs)]
pub(crate) struct Chosen {
    /// Jobs by their ids
    #[arg(value_name = "JID", required_unless_present_any = ["all", "matching"])]
    pub(crate) jids: Vec<String>,
    /// Only in this place
    #[arg(long = "in", value_name = "PLACE")]
    pub(crate) place: Option<Place>,
    /// All jobs of the place
    #[arg(long, requires = "place", conflicts_with_all = ["jids", "matching"])]
    pub(crate) all: bool,
    /// All jobs that a search finds, as `jobs search` does
    #[arg(
        long,
        value_name = "QUERY",
        conflicts_with = "jids",
        allow_hyphen_values = true
    )]
    pub(crate) matching: Option<String>,
}

#[derive(ClapArgs)]
pub(crate) struct Web {
    /// Where; others than this machine can reach it only with users
    #[arg(long, default_value = "127.0.0.1:7433", value_name = "ADDR")]
    pub(crate) addr: SocketAddr,
    /// A user and a password, which are asked for then; may be given several times. Others on this machine see arguments, so
    /// one user may be named by the variable instead
    #[arg(
        long = "user",
        value_name = "NAME:PASSWORD",
        env = "SANCHO_WEB_USER",
        hide_env_values = true
    )]
    pub(crate) users: Vec<String>,
    /// Shows everything and changes nothing
    #[arg(long)]
    pub(crate) read_only: bool,
    /// The name of what is shown, beside the title: production
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// Arguments of jobs that are not shown, by the names of their fields
    #[arg(long = "mask", value_name = "NAME")]
    pub(crate) masked: Vec<String>,
}

/// Which processes.
#[derive(Debug, ClapArgs)]
pub(crate) struct Processes {
    /// Their identities, or the beginnings of them
    #[arg(value_name = "IDENTITY", required_unless_present = "all")]
    pub(crate) identities: Vec<String>,
    /// All of them
    #[arg(long, conflicts_with = "identities")]
    pub(crate) all: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Enqueue {
    /// The class, or the job's name on the wire
    pub(crate) class: String,
    /// The arguments, each as JSON: 42, '"text"', '{"a":1}'
    #[arg(allow_negative_numbers = true)]
    pub(crate) args: Vec<String>,
    /// The queue
    #[arg(short, long, default_value = "default")]
    pub(crate) queue: String,
    /// How often it is tried again; 0 is never
    #[arg(long, value_name = "N")]
    pub(crate) retry: Option<u32>,
    /// A tag; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    #[command(flatten)]
    pub(crate) when: Optional,
}

/// A time that must be given.
#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
pub(crate) struct Required {
    /// So long from now: 90s, 15m, 1h, 2d
    #[arg(long, allow_hyphen_values = true, value_name = "TIME", value_parser = duration)]
    pub(crate) after: Option<Duration>,
    /// At this time: 2026-11-24T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) at: Option<DateTime<Utc>>,
}

/// A time that may be given.
#[derive(Debug, ClapArgs)]
#[group(required = false, multiple = false)]
pub(crate) struct Optional {
    /// So long from now: 90s, 15m, 1h, 2d
    #[arg(long, allow_hyphen_values = true, value_name = "TIME", value_parser = duration)]
    pub(crate) after: Option<Duration>,
    /// At this time: 2026-11-24T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) at: Option<DateTime<Utc>>,
}

/// A place that has jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Scheduled,
    Retry,
    Dead,
    Queue(String),
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "scheduled" | "schedule" => Ok(Self::Scheduled),
            "retry" | "retries" => Ok(Self::Retry),
            "dead" | "morgue" => Ok(Self::Dead),
            text => match text.strip_prefix("queue:") {
                Some(name) if !name.is_empty() => Ok(Self::Queue(name.to_owned())),
                _ => Err("write scheduled, retry, dead or queue:NAME".to_owned()),
            },
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Scheduled => f.write_str("scheduled"),
            Self::Retry => f.write_str("retry"),
            Self::Dead => f.write_str("dead"),
            Self::Queue(name) => write!(f, "queue:{name}"),
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    const HOW: &str = "write a number and a unit: 90s, 15m, 1h30m, 2d, 1w";
    parse_span(text).ok_or_else(|| HOW.to_owned())
}

/// How often a screen is refreshed: as often as somebody can look, and often enough that it is live.
fn refresh(text: &str) -> Result<Duration, String> {
    let every = duration(text)?;
    let live = Duration::from_secs(1)..=Duration::from_secs(3_600);
    match live.contains(&every) {
        true => Ok(every),
        false => Err("write a time from 1s to 1h".to_owned()),
    }
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.with_timezone(&Utc))
        .map_err(|_| "write it as 2026-11-24T12:00:00Z or 2026-11-24T13:00:00+01:00".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (args, named) in [
            (
                &["jobs", "list", "asleep"][..],
                "write scheduled, retry, dead or queue:NAME",
            ),
            (&["clear", "queue:"], "queue:NAME"),
            (&["retry"], "<JID"),
            (&["retry", "--all"], "--in"),
            (&["reschedule", "d3ab"], "--after"),
            (
                &["reschedule", "d3ab", "--after", "-1h"],
                "write a number and a unit",
            ),
            (
                &["reschedule", "d3ab", "--after", "soon"],
                "write a number and a unit",
            ),
            (
                &["enqueue", "A", "--at", "tomorrow"],
                "2026-11-24T12:00:00Z",
            ),
            (&["stats", "--days", "0"], "1..=1825"),
            (&["quiet"], "IDENTITY"),
            (&["top", "--every", "0s"], "1s to 1h"),
            (&["top", "--every", "99999w"], "1s to 1h"),
            (&["jobs", "list", "dead", "-n", "0"], "1..=1000000"),
        ] {
            let error = Args::try_parse_from(["sancho"].iter().chain(args))
                .map(drop)
                .unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(named), "{args:?}: {error}");
        }
    }
}
