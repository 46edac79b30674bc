//! The systems: how each is installed, and how its worker and its pusher are started.
//!
//! All of them take the same arguments: `work URL JOB CONCURRENCY JOBS`, and `push URL JOB single|bulk|paced JOBS NUMBER`, where
//! the number is that of the concurrent callers, or the nanoseconds between two pushes. All of them print `first` when the first job
//! has ended (or before the first push) and `last` after the last one; a worker then prints `took` and what its jobs noted.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Process;
use crate::Result;

/// A job system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum System {
    Sancho,
    RustySidekiq,
    ApalisRedis,
    BullMq,
    Sidekiq,
}

/// A worker to start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work<'a> {
    pub(crate) url: &'a str,
    pub(crate) job: &'a str,
    pub(crate) concurrency: usize,
    pub(crate) jobs: u64,
}

/// A pusher to start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Push<'a> {
    pub(crate) url: &'a str,
    pub(crate) job: &'a str,
    pub(crate) how: &'a str,
    pub(crate) jobs: u64,
    pub(crate) number: u64,
}

/// A system that can be measured here.
#[derive(Clone, Debug)]
pub(crate) struct Installed {
    pub(crate) system: System,
    pub(crate) version: String,
    program: PathBuf,
}

impl System {
    pub(crate) const ALL: [Self; 5] = [
        Self::Sancho,
        Self::RustySidekiq,
        Self::ApalisRedis,
        Self::BullMq,
        Self::Sidekiq,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sancho => "sancho",
            Self::RustySidekiq => "rusty-sidekiq",
            Self::ApalisRedis => "apalis-redis",
            Self::BullMq => "bullmq",
            Self::Sidekiq => "ruby-sidekiq",
        }
    }

    /// Whether it can push many jobs at once.
    pub(crate) fn has_bulk(self) -> bool {
        self != Self::RustySidekiq
    }

    /// How many jobs may wait for it: `apalis-redis` 1.0.0 stops with an error of its script where 8,000 or more are due.
    pub(crate) fn most_waiting(self) -> u64 {
        match self {
            Self::ApalisRedis => 7_000,
            _ => u64::MAX,
        }
    }

    /// Who fills its queue. Those that share Sidekiq's format get the very same bytes.
    pub(crate) fn filled_by(self) -> Self {
        match self {
            Self::Sancho | Self::RustySidekiq | Self::Sidekiq => Self::Sancho,
            Self::ApalisRedis | Self::BullMq => self,
        }
    }

    /// Installs it where it is not, or says why that failed.
    pub(crate) fn install(self) -> Result<Installed> {
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        let (program, version) = match self {
            Self::Sancho => (
                std::env::current_exe()?,
                env!("CARGO_PKG_VERSION").to_owned(),
            ),
            Self::RustySidekiq | Self::ApalisRedis => {
                let folder = peers.join("rust");
                let mut cargo = Command::new("cargo");
                run(cargo
                    .args(["build", "--release", "--locked"])
                    .current_dir(&folder))?;
                let crate_name = self.name();
                let lock = std::fs::read_to_string(folder.join("Cargo.lock"))?;
                let version = lock
                    .split("[[package]]")
                    .find(|package| package.contains(&format!("name = \"{crate_name}\"\n")))
                    .and_then(|package| package.split("version = \"").nth(1)?.split('"').next())
                    .unwrap_or("?");
                (
                    folder.join("target/release/sancho-bench-peers"),
                    version.to_owned(),
                )
            }
            Self::BullMq => {
                let folder = peers.join("node");
                let package = folder.join("node_modules/bullmq/package.json");
                if !package.exists() {
                    let mut npm = Command::new("npm");
                    run(npm
                        .args(["ci", "--no-audit", "--no-fund"])
                        .current_dir(&folder))?;
                }
                let text = std::fs::read_to_string(package)?;
                let version = text
                    .split("\"version\": \"")
                    .nth(1)
                    .and_then(|rest| rest.split('"').next())
                    .unwrap_or("?")
                    .to_owned();
                let node = run(Command::new("node").arg("--version"))?;
                (folder.join("peer.mjs"), format!("{version}, node {node}"))
            }
            Self::Sidekiq => {
                let version = run(Command::new("sidekiq").arg("--version"))
                    .map_err(|error| format!("{error} (Debian: apt-get install ruby-sidekiq)"))?;
                let ruby = run(Command::new("ruby").args(["-e", "print RUBY_VERSION"]))?;
                let version = version.trim_start_matches("Sidekiq ").to_owned();
                (
                    peers.join("ruby/peer.rb"),
                    format!("{version}, Ruby {ruby}"),
                )
            }
        };
        Ok(Installed {
            system: self,
            version,
            program,
        })
    }
}

impl Installed {
    pub(crate) fn work(&self, work: &Work<'_>) -> Result<Process> {
        self.work_with(work, &[])
    }

    /// With further arguments, which only sancho's own worker takes.
    pub(crate) fn work_with(&self, work: &Work<'_>, more: &[&str]) -> Result<Process> {
        let (concurrency, jobs) = (work.concurrency.to_string(), work.jobs.to_string());
        let args = ["work", work.url, work.job, &concurrency, &jobs];
        if self.system == System::Sidekiq {
            let mut command = Command::new("sidekiq");
            command.args(["-c", &concurrency, "-r"]).arg(&self.program);
            command.env("PEER", args.join(" "));
            return self.start(&command);
        }
        let mut command = self.command();
        command.args(args).args(more);
        self.start(&command)
    }

    pub(crate) fn push(&self, push: &Push<'_>) -> Result<Process> {
        let (jobs, number) = (push.jobs.to_string(), push.number.to_string());
        let mut command = match self.system {
            System::Sidekiq => {
                let mut ruby = Command::new("ruby");
                ruby.arg(&self.program);
                ruby
            }
            _ => self.command(),
        };
        command.args(["push", push.url, push.job, push.how, &jobs, &number]);
        self.start(&command)
    }

    fn command(&self) -> Command {
        match self.system {
            System::Sancho => Command::new(&self.program),
            System::BullMq => {
                let mut node = Command::new("node");
                node.arg(&self.program);
                node
            }
            System::RustySidekiq | System::ApalisRedis => {
                let mut peer = Command::new(&self.program);
                peer.arg(self.system.name());
                peer
            }
            System::Sidekiq => Command::new("ruby"),
        }
    }

    fn start(&self, command: &Command) -> Result<Process> {
        Process::start(self.system.name(), command)
    }
}

/// What a command prints.
pub(super) fn run(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("{program} cannot be started: {error}"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = errors.lines().last().unwrap_or_default();
        return Err(format!("{program} failed: {last}").into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
