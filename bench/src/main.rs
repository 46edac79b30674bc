//! Measures sancho and other job systems, side by side.
//!
//! ```console
//! cargo run --release -p sancho-bench -- report --rounds 5          # docs/benchmarks.md, about twenty minutes
//! cargo run --release -p sancho-bench -- report --only drain --print
//! cargo run --release -p sancho-bench -- drain --jobs 500000 --concurrency 50
//! cargo run --release -p sancho-bench -- web --page docs/benchmarks.md
//! ```
//!
//! Every server is a private one, on a free port of the loopback interface, and every worker and pusher is a process of its
//! own: this program starts them, reads what they print, and what they used from `/proc` and from Redis.

mod figures;
mod ours;
mod profile;
mod report;
mod rig;
mod setting;
mod web;
mod workload;

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use figures::number;
use report::Page;
use rig::{Machine, System};
use setting::{Profile, Setting, say};
use workload::QUESTIONS;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Asks all questions, writes the answers into the page, and says which goals were met
    Report {
        /// How often each figure is taken; medians and ranges are over them
        #[arg(long, default_value_t = 5)]
        rounds: u32,
        /// How much is measured
        #[arg(long, value_enum, default_value = "standard")]
        profile: Profile,
        /// Only these questions
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// Without the other systems
        #[arg(long)]
        no_peers: bool,
        /// Prints the answers instead of writing them
        #[arg(long)]
        print: bool,
        /// The page; its plots go to the folder of the same name
        #[arg(long, default_value = "docs/benchmarks.md")]
        page: PathBuf,
    },
    /// Drains a queue of no-op jobs, without the other systems, to see what a change did
    Drain {
        /// How many jobs
        #[arg(long, default_value_t = 300_000)]
        jobs: u64,
        /// How many of them run at once
        #[arg(long, default_value_t = 50)]
        concurrency: usize,
        /// How often
        #[arg(long, default_value_t = 3)]
        rounds: u32,
    },
    /// Counts the instructions of a job with callgrind, by part of the worker
    Profile {
        /// How many jobs
        #[arg(long, default_value_t = 30_000)]
        jobs: u64,
        /// How many of them run at once
        #[arg(long, default_value_t = 50)]
        concurrency: usize,
        /// The page to write the answer into; else it is printed
        #[arg(long)]
        page: Option<PathBuf>,
    },
    /// Asks for all pages of the dashboard over places that are long
    Web {
        /// How many jobs wait
        #[arg(long, default_value_t = 5_000_000)]
        jobs: u64,
        /// How many are to be tried again
        #[arg(long, default_value_t = 100_000)]
        retries: u64,
        /// The page to write the answer into; else it is printed
        #[arg(long)]
        page: Option<PathBuf>,
    },
    #[command(hide = true)]
    Work(ours::Options),
    #[command(hide = true)]
    Push {
        url: String,
        job: String,
        how: String,
        jobs: u64,
        number: u64,
    },
    #[command(hide = true)]
    Handover { port: u16, jobs: u64 },
}

fn main() -> ExitCode {
    let done = match Args::parse().what {
        What::Report {
            rounds,
            profile,
            only,
            no_peers,
            print,
            page,
        } => report(
            rounds,
            profile,
            &only,
            no_peers,
            if print { None } else { Some(page) },
        ),
        What::Drain {
            jobs,
            concurrency,
            rounds,
        } => drain(jobs, concurrency, rounds),
        What::Profile {
            jobs,
            concurrency,
            page,
        } => profile(jobs, concurrency, page),
        What::Web {
            jobs,
            retries,
            page,
        } => web(jobs, retries, page),
        What::Handover { port, jobs } => workload::receive(port, jobs),
        What::Work(options) => in_runtime(ours::work(options)),
        What::Push {
            url,
            job,
            how,
            jobs,
            number,
        } => in_runtime(async move { ours::push(&url, &job, &how, jobs, number).await }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn in_runtime(work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(work)
}

fn report(
    rounds: u32,
    profile: Profile,
    only: &[String],
    no_peers: bool,
    page: Option<PathBuf>,
) -> Result<()> {
    if let Some(unknown) = only
        .iter()
        .find(|name| QUESTIONS.iter().all(|question| question.name != **name))
    {
        let names: Vec<_> = QUESTIONS.iter().map(|question| question.name).collect();
        return Err(format!(
            "there is no question {unknown:?}: there are {}",
            names.join(", ")
        )
        .into());
    }
    let page = page.map(|page| Page::at(&page)).transpose()?;
    let mut systems = Vec::new();
    let mut versions = String::new();
    let asked = if no_peers {
        &System::ALL[..1]
    } else {
        &System::ALL[..]
    };
    for system in asked {
        say(&format!("installs {}", system.name()));
        match system.install() {
            Ok(installed) => {
                versions += &format!("| {} | {} |\n", system.name(), installed.version);
                systems.push(installed);
            }
            Err(error) => {
                say(&format!("{} is missing: {error}", system.name()));
                versions += &format!("| {} | missing: {error} |\n", system.name());
            }
        }
    }
    let mut machine = report::Section {
        text: format!("| | |\n| --- | --- |\n| profile, rounds | {profile:?}, {rounds} |\n"),
        ..Default::default()
    };
    for (name, value) in Machine::look().lines {
        machine.text += &format!("| {name} | {value} |\n");
    }
    machine.text += &versions;
    let setting = Setting {
        rounds,
        profile,
        systems,
        failures: RefCell::default(),
    };
    let mut goals = Vec::new();
    publish(page.as_ref(), "machine", &machine)?;
    let asked = |name: &str| only.is_empty() || only.iter().any(|asked| asked == name);
    for question in QUESTIONS.iter().filter(|question| asked(question.name)) {
        say(question.name);
        // One question that cannot be answered does not take the others away.
        match (question.measure)(&setting) {
            Ok(mut section) => {
                for failure in setting.failures.take() {
                    section.line(&format!("Failed and left out: {failure}"));
                }
                publish(page.as_ref(), question.name, &section)?;
                goals.extend(section.goals);
            }
            Err(error) => eprintln!("{}: not measured: {error}", question.name),
        }
    }
    say("done");
    println!("{}", report::with_goals("", &goals));
    Ok(())
}

fn publish(page: Option<&Page>, name: &str, section: &report::Section) -> Result<()> {
    match page {
        Some(page) => page.write(name, section),
        None => {
            println!("{}", section.text);
            Ok(())
        }
    }
}

fn profile(jobs: u64, concurrency: usize, page: Option<PathBuf>) -> Result<()> {
    let page = page.map(|page| Page::at(&page)).transpose()?;
    let section = profile::measure(jobs, concurrency)?;
    publish(page.as_ref(), "profile", &section)
}

fn web(jobs: u64, retries: u64, page: Option<PathBuf>) -> Result<()> {
    let page = page.map(|page| Page::at(&page)).transpose()?;
    in_runtime(async move {
        let section = web::measure(jobs, retries).await?;
        publish(page.as_ref(), "web", &section)
    })
}

fn drain(jobs: u64, concurrency: usize, rounds: u32) -> Result<()> {
    let ours = System::Sancho.install()?;
    let setting = Setting {
        rounds,
        profile: Profile::Standard,
        systems: vec![ours.clone()],
        failures: RefCell::default(),
    };
    for _ in 0..rounds {
        let drained = setting.drain(&ours, "no_op", concurrency, jobs)?;
        let (worker, redis) = drained.cpu();
        println!(
            "drained {jobs} jobs at concurrency {concurrency}: {} jobs/s, {} µs of CPU a job (worker {}, Redis {}), {} round trips and {} bytes a job, {} MB",
            number(drained.rate()),
            number(worker + redis),
            number(worker),
            number(redis),
            number(drained.trips()),
            number(drained.bytes()),
            number(drained.memory)
        );
    }
    Ok(())
}
