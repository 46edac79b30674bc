//! What a run is set to, and what every question can ask for: a queue that is filled and drained under watch.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::Result;
use crate::figures::megabytes;
use crate::rig::{Installed, Process, Push, Redis, RedisUsage, System, Work};

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// A twentieth: whether the harness works; its figures mean nothing
    Quick,
    /// About twenty minutes
    Standard,
    /// Everything, with every system
    Full,
}

/// What a run is set to.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) rounds: u32,
    pub(crate) profile: Profile,
    pub(crate) systems: Vec<Installed>,
    /// What went wrong with other systems since this was taken.
    pub(crate) failures: RefCell<BTreeSet<String>>,
}

impl Setting {
    /// So many jobs in the standard profile.
    pub(crate) fn jobs(&self, standard: u64) -> u64 {
        match self.profile {
            Profile::Quick => (standard / 20).max(200),
            Profile::Standard | Profile::Full => standard,
        }
    }

    /// What a system did, or nothing if it failed and is not ours: that is named, and the others are measured all the same.
    pub(crate) fn attempt<T>(&self, system: System, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(done) => Ok(Some(done)),
            Err(error) if system == System::Sancho => Err(error),
            Err(error) => {
                let failure = error.to_string().replace('\n', " ");
                say(&failure);
                self.failures.borrow_mut().insert(failure);
                Ok(None)
            }
        }
    }

    pub(crate) fn sancho(&self) -> Result<&Installed> {
        self.system(System::Sancho)
    }

    pub(crate) fn system(&self, system: System) -> Result<&Installed> {
        self.systems
            .iter()
            .find(|installed| installed.system == system)
            .ok_or_else(|| format!("{} is not measured", system.name()).into())
    }

    /// Fills the default queue with jobs for a system. Gives how long that took.
    pub(crate) fn fill(&self, url: &str, system: System, job: &str, jobs: u64) -> Result<Duration> {
        let push = Push {
            url,
            job,
            how: "bulk",
            jobs,
            number: 0,
        };
        pushed(self.system(system.filled_by())?, &push)
    }

    /// Fills a fresh Redis with no-op jobs, and lets a system drain it. Its jobs do what `work` says.
    pub(crate) fn drain(
        &self,
        system: &Installed,
        job: &str,
        concurrency: usize,
        jobs: u64,
    ) -> Result<Drained> {
        let mut redis = Redis::start()?;
        let url = redis.url();
        let jobs = jobs.min(system.system.most_waiting());
        let filling = if system.system == System::Sancho {
            job
        } else {
            "no_op"
        };
        self.fill(&url, system.system, filling, jobs)?;
        let work = Work {
            url: &url,
            job,
            concurrency,
            jobs,
        };
        let before = redis.usage()?;
        let worker = system.work(&work)?;
        Drained::watch(&worker, Some((&mut redis, before)), jobs)
    }
}

/// Runs a pusher to its end. Gives how long the pushes took.
pub(crate) fn pushed(system: &Installed, push: &Push<'_>) -> Result<Duration> {
    let pusher = system.push(push)?;
    let first = pusher.line("first")?;
    let last = pusher.line("last")?;
    Ok(last.at - first.at)
}

/// What draining a queue took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drained {
    pub(crate) jobs: u64,
    /// From the end of the first job to that of the last.
    pub(crate) took: Duration,
    /// CPU of the worker.
    pub(crate) worker: Duration,
    /// What Redis did, since before the worker was started.
    pub(crate) redis: RedisUsage,
    /// The most memory that the worker had, in MB.
    pub(crate) memory: f64,
}

impl Drained {
    pub(crate) fn watch(
        worker: &Process,
        redis: Option<(&mut Redis, RedisUsage)>,
        jobs: u64,
    ) -> Result<Self> {
        let first = worker.line("first")?;
        let started = worker.cpu()?;
        let last = worker.line("last")?;
        let ended = worker.cpu()?;
        let redis = match redis {
            Some((redis, before)) => redis.usage()?.since(&before),
            None => RedisUsage::default(),
        };
        Ok(Self {
            jobs,
            took: last.at - first.at,
            worker: ended.saturating_sub(started),
            redis,
            memory: megabytes(worker.peak_memory()?),
        })
    }

    pub(crate) fn rate(&self) -> f64 {
        rate(self.jobs, self.took)
    }

    /// CPU a job in µs: the worker's and Redis's.
    pub(crate) fn cpu(&self) -> (f64, f64) {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / self.jobs as f64;
        (each(self.worker), each(self.redis.cpu))
    }

    pub(crate) fn trips(&self) -> f64 {
        self.redis.trips as f64 / self.jobs as f64
    }

    pub(crate) fn bytes(&self) -> f64 {
        self.redis.bytes as f64 / self.jobs as f64
    }
}

pub(crate) fn rate(jobs: u64, took: Duration) -> f64 {
    jobs as f64 / took.as_secs_f64().max(1e-9)
}

/// Says on the error output what goes on.
pub(crate) fn say(what: &str) {
    use std::sync::OnceLock;
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    let since = BEGIN.get_or_init(Instant::now).elapsed();
    eprintln!("{:>5.0} s  {what}", since.as_secs_f64());
}
