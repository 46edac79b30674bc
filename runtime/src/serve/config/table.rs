//! The settings: their keys in the file, their arguments and variables. `docs/operations.md` shows this table.

use std::time::Duration;

use super::value::Value;
use super::{Settings, Store, read};
use crate::serve::log::Level;

/// A setting.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the docs show all of it, which a test checks")
)]
pub(super) struct Setting {
    /// Its key in the file.
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) default: &'static str,
    /// Its argument.
    pub(super) argument: Option<&'static str>,
    /// Its environment variables.
    pub(super) variables: &'static [&'static str],
    /// Reads it from the file; what is wrong is answered with what is allowed. Without it the file cannot say it.
    pub(super) read: Option<Reader>,
    pub(super) about: &'static str,
}

type Reader = fn(&mut Settings, &Value) -> Result<(), String>;

/// All of them, in the order of the table in the docs.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        argument: Some("-c"),
        variables: &["RAILS_MAX_THREADS"],
        read: Some(|to, value| put(&mut to.concurrency, read::concurrency_value(value))),
        ..setting("concurrency", "jobs", "10", "how many jobs run at once")
    },
    Setting {
        argument: Some("-q"),
        read: Some(|to, value| put(&mut to.queues, read::queues(value))),
        ..setting(
            "queues",
            "names, weights",
            "default",
            "what is served, most urgent first",
        )
    },
    Setting {
        read: Some(|to, value| put(&mut to.capsules, read::capsules(value))),
        ..setting(
            "capsules",
            "names",
            "none",
            "groups with `queues` and `concurrency` of their own",
        )
    },
    Setting {
        argument: Some("-t"),
        read: Some(|to, value| put(&mut to.timeout, read::seconds_value(value))),
        ..setting(
            "timeout",
            "seconds",
            "25",
            "how long a stop waits for running jobs",
        )
    },
    Setting {
        argument: Some("-e"),
        variables: &["APP_ENV", "RAILS_ENV", "RACK_ENV"],
        ..setting(
            "environment",
            "name",
            "development",
            "which section of the file counts",
        )
    },
    Setting {
        argument: Some("--store"),
        variables: &["SANCHO_STORE", "REDIS_PROVIDER", "REDIS_URL"],
        read: Some(|to, value| {
            let url = read::text(value).map_err(|_| "the URL of a store".to_owned())?;
            to.store = Some(Store {
                url,
                setting: String::new(),
            });
            Ok(())
        }),
        ..setting(
            "store",
            "URL",
            "sqlite:sancho.db",
            "where the jobs are kept; must be said in production",
        )
    },
    Setting {
        argument: Some("-g"),
        read: Some(|to, value| put(&mut to.tag, read::text(value))),
        ..setting(
            "tag",
            "text",
            "the program's name",
            "what others see this process called",
        )
    },
    Setting {
        read: Some(|to, value| put(&mut to.labels, read::labels(value))),
        ..setting(
            "labels",
            "texts",
            "none",
            "by what else others may tell it from its like",
        )
    },
    Setting {
        read: Some(|to, value| {
            put(
                &mut to.max_retries,
                read::count(0, "a number from 0 on")(value),
            )
        }),
        ..setting(
            "max_retries",
            "times",
            "25",
            "how often a job with `retry = true` is tried again",
        )
    },
    Setting {
        read: Some(|to, value| {
            put(
                &mut to.dead_max_jobs,
                read::count(1, "a number from 1 on")(value),
            )
        }),
        ..setting(
            "dead_max_jobs",
            "jobs",
            "10000",
            "what the dead set keeps, and one more, as Sidekiq counts",
        )
    },
    Setting {
        read: Some(|to, value| put(&mut to.dead_timeout, read::seconds_value(value))),
        ..setting(
            "dead_timeout_in_seconds",
            "seconds",
            "15552000",
            "how long a job stays in the dead set",
        )
    },
    Setting {
        read: Some(|to, value| {
            put(
                &mut to.lease,
                read::at_least(Duration::from_millis(300))(value),
            )
        }),
        ..setting(
            "lease",
            "seconds",
            "12",
            "how long the store takes a silent process for alive; its jobs start elsewhere after that",
        )
    },
    Setting {
        read: Some(|to, value| {
            put(
                &mut to.poll_interval,
                read::at_least(Duration::from_millis(100))(value),
            )
        }),
        ..setting(
            "average_scheduled_poll_interval",
            "seconds",
            "10",
            "how long the schedule is left alone at most; what is due wakes the worker anyway",
        )
    },
    Setting {
        read: Some(|to, value| {
            put(
                &mut to.push_timeout,
                read::at_least(Duration::from_millis(1))(value),
            )
        }),
        ..setting(
            "push_timeout",
            "seconds",
            "3",
            "how long a push of a job may take",
        )
    },
    Setting {
        read: Some(|to, value| put(&mut to.wire, read::wire(value))),
        ..setting(
            "sidekiq_wire",
            "6, 7 or 8",
            "8",
            "the oldest Sidekiq that reads what is written",
        )
    },
    Setting {
        read: Some(|to, value| put(&mut to.log_level, read::level(value))),
        ..setting("log_level", "error to trace", "info", "what is logged")
    },
    Setting {
        argument: Some("-v"),
        variables: &["DEBUG_INVOCATION"],
        read: Some(|to, value| {
            if read::boolean(value)? {
                to.log_level.get_or_insert(Level::Debug);
            }
            Ok(())
        }),
        ..setting(
            "verbose",
            "true or false",
            "false",
            "the same as `log_level: debug`: the start and end of every job",
        )
    },
    Setting {
        argument: Some("--log-format"),
        read: Some(|to, value| put(&mut to.log_format, read::format_value(value))),
        ..setting(
            "log_format",
            "pretty, plain, logfmt or json",
            "pretty on a terminal, else plain",
            "how a line of the log looks",
        )
    },
    Setting {
        argument: Some("--alive-file"),
        read: Some(|to, value| put(&mut to.alive_file, read::text(value).map(Into::into))),
        ..setting(
            "alive_file",
            "path",
            "none",
            "a file that is written every 5 s while all of the worker is alive, for probes",
        )
    },
    Setting {
        argument: Some("--health"),
        read: Some(|to, value| put(&mut to.health, read::address_value(value))),
        ..setting(
            "health",
            "port, or address:port",
            "none",
            "where `/metrics`, `/livez` and `/readyz` are answered; a port alone is one of 127.0.0.1",
        )
    },
    Setting {
        read: Some(|to, value| put(&mut to.schedule_file, read::text(value).map(Into::into))),
        ..setting(
            "cron_schedule_file",
            "path",
            "config/schedule.yml",
            "the cron's entries; HUP reads it anew",
        )
    },
    Setting {
        read: Some(|to, value| {
            put(
                &mut to.hook_timeout,
                read::at_least(Duration::from_millis(1))(value),
            )
        }),
        ..setting(
            "hook_timeout",
            "seconds",
            "10",
            "how long one hook or error handler may take",
        )
    },
];

/// Other names of settings, from other versions of Sidekiq, or shorter.
pub(super) const ALIASES: &[(&str, &str)] = &[
    ("dead_timeout", "dead_timeout_in_seconds"),
    ("poll_interval_average", "average_scheduled_poll_interval"),
    ("redis_url", "store"),
    ("url", "store"),
];

/// Keys that are Ruby's alone, and why they are not heeded.
pub(super) const RUBYS: &[(&str, &str)] = &[
    ("require", "jobs are linked into the program"),
    (
        "strict",
        "the order of the queues follows from their weights",
    ),
    ("daemon", "let systemd or another supervisor run it"),
    ("pidfile", "let systemd or another supervisor keep it"),
    ("logfile", "the log goes to standard error"),
    ("index", "processes are told apart by themselves"),
    ("on_complex_arguments", "the compiler checks arguments"),
    (
        "backtrace_cleaner",
        "`backtrace` of #[job] says what is kept",
    ),
    ("logged_job_attributes", "the log has what it has"),
    ("redis_idle_timeout", "connections are few and stay"),
    ("reloader", "there is nothing to reload"),
    ("thread_priority", "jobs are tasks"),
    ("job_logger", "the log is `tracing`'s"),
    (
        "skip_default_job_logging",
        "`log_level` says what is logged",
    ),
    (
        "fetch_class",
        "there is one way to fetch, and it loses nothing",
    ),
    (
        "fetch_setup",
        "there is one way to fetch, and it loses nothing",
    ),
    (
        "scheduled_enq",
        "there is one schedule, and it loses nothing",
    ),
    ("redis", "`store` takes the URL"),
    (
        "schedule",
        "`cron_schedule_file` names the file of the cron",
    ),
    (
        "scheduler",
        "`cron_schedule_file` names the file of the cron",
    ),
    ("health_check", "`health` names a port for probes"),
];

/// The table as the docs show it.
#[cfg(test)]
pub(super) fn markdown() -> String {
    use std::fmt::Write as _;

    let mut out = String::from(
        "| setting | unit | default | argument | environment | file | what it is |\n|---|---|---|---|---|---|---|\n",
    );
    for setting in SETTINGS {
        let code = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            names.join(", ")
        };
        let argument: Vec<_> = setting.argument.into_iter().collect();
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {} | {} | {} |",
            setting.name,
            setting.unit,
            setting.default,
            code(&argument),
            code(setting.variables),
            if setting.read.is_some() { "yes" } else { "" },
            setting.about
        );
    }
    out
}

const fn setting(
    name: &'static str,
    unit: &'static str,
    default: &'static str,
    about: &'static str,
) -> Setting {
    Setting {
        name,
        unit,
        default,
        argument: None,
        variables: &[],
        read: None,
        about,
    }
}

fn put<T>(to: &mut Option<T>, read: Result<T, String>) -> Result<(), String> {
    *to = Some(read?);
    Ok(())
}
