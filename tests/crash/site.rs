//! A store, and the processes that work on it.

use std::fs::File;
use std::future::Future;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sancho::api::{Api, Stats};
use sancho::job::Timestamp;
use sancho::job::payload::NewJob;
use sancho::{Client, Config, PushError};
use sancho_tests::RedisServer;
use serde::Serialize;
use tempfile::TempDir;
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::ledger::{Ledger, What};

/// How long anything may take that has no promised deadline: the machine may be busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// Registers a test for both stores that processes can share.
macro_rules! on_both_stores {
    ($($name:ident)*) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name($crate::site::Site::new($crate::site::Kind::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn redis() {
                super::$name($crate::site::Site::new($crate::site::Kind::Redis).await).await;
            }
        }
    )*};
}

/// The stores that processes can share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Redis,
    Sqlite,
}

/// A store of its own, with a client of the test.
pub(crate) struct Site {
    folder: TempDir,
    url: String,
    pub(crate) client: Client,
    pub(crate) redis: Option<RedisServer>,
}

impl Site {
    pub(crate) async fn new(kind: Kind) -> Self {
        match kind {
            Kind::Redis => Self::on_redis(RedisServer::start(&[])).await,
            Kind::Sqlite => Self::on_sqlite().await,
        }
    }

    pub(crate) async fn on_redis(redis: RedisServer) -> Self {
        let url = redis.url();
        Self::at(TempDir::new().unwrap(), url, Some(redis)).await
    }

    pub(crate) async fn on_sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite:{}", folder.path().join("jobs.db").display());
        Self::at(folder, url, None).await
    }

    pub(crate) async fn at(folder: TempDir, url: String, redis: Option<RedisServer>) -> Self {
        let client = Client::connect(Config::new().store(&url)).await.unwrap();
        Self {
            folder,
            url,
            client,
            redis,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The SQLite file.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.url.strip_prefix("sqlite:").map(Path::new)
    }

    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::read(&self.path("log"))
    }

    /// Begins to describe a process on this store.
    pub(crate) fn worker(&self) -> Setup<'_> {
        Setup {
            site: self,
            url: self.url.clone(),
            variables: Vec::new(),
            arguments: Vec::new(),
            under: Vec::new(),
        }
    }

    /// Pushes jobs, together.
    pub(crate) async fn push(&self, jobs: impl IntoIterator<Item = NewJob>) {
        let mut pushes = JoinSet::new();
        for job in jobs {
            pushes.spawn(self.client.push_job(job));
        }
        while let Some(push) = pushes.join_next().await {
            push.unwrap().expect("the store takes a push");
        }
    }

    /// The same, on a machine that may have no time for the store: what certainly was not pushed is pushed anew, and what may
    /// have been is asked for again.
    pub(crate) async fn insist_on(&self, jobs: impl IntoIterator<Item = NewJob>) {
        let mut pushes = JoinSet::new();
        for job in jobs {
            pushes.spawn(timeout(PATIENCE, insist(self.client.clone(), job)));
        }
        while let Some(push) = pushes.join_next().await {
            push.unwrap().expect("the store takes a push in the end");
        }
    }

    pub(crate) async fn stats(&self) -> Stats {
        let api = Api::new(&self.client);
        self.until("the store counts", || async { api.stats().await.ok() })
            .await
    }

    /// Waits until nothing waits and nothing runs.
    pub(crate) async fn until_idle(&self) -> Stats {
        self.until("all jobs have ended", || self.idle()).await
    }

    /// The counts, if nothing waits and nothing runs.
    pub(crate) async fn idle(&self) -> Option<Stats> {
        // The store may be away just now; and a job that moves amid a look may be in neither of its places then, but is in
        // one of them at the next look.
        let first = Api::new(&self.client).stats().await.ok()?;
        let stats = Api::new(&self.client).stats().await.ok()?;
        let idle = first.is_idle() && stats.is_idle() && first.processed == stats.processed;
        idle.then_some(stats)
    }

    /// Waits until so many reports are of that kind.
    pub(crate) async fn until_reported(&self, count: usize, is: impl Fn(&What) -> bool) -> Ledger {
        self.until("the jobs have reported", || async {
            let ledger = self.ledger();
            (ledger.count(&is) >= count).then_some(ledger)
        })
        .await
    }

    /// Asks again and again until there is an answer.
    pub(crate) async fn until<T, F>(&self, what: &str, ask: impl Fn() -> F) -> T
    where
        F: Future<Output = Option<T>>,
    {
        let asked = async {
            loop {
                if let Some(answer) = ask().await {
                    return answer;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        match timeout(PATIENCE, asked).await {
            Ok(answer) => answer,
            Err(_) => panic!(
                "it never came about that {what}: {:?}\nlogs:\n{}",
                Api::new(&self.client).stats().await,
                self.logs()
            ),
        }
    }

    /// What the processes logged.
    pub(crate) fn logs(&self) -> String {
        let mut logs = String::new();
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "log") {
                logs += &std::fs::read_to_string(path).unwrap_or_default();
            }
        }
        logs
    }

    /// Stops a process as SIGSTOP does. One that is stopped amid a write would keep the lock of its SQLite file, and nobody could
    /// go on: so it is stopped while the lock is held here.
    pub(crate) fn suspend(&self, process: &Process) {
        let lock = self.file().map(|file| {
            let connection = rusqlite::Connection::open(file).unwrap();
            connection.busy_timeout(PATIENCE).unwrap();
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            connection
        });
        process.send(Signal::STOP);
        let deadline = Instant::now() + PATIENCE;
        while !process.is_suspended() {
            assert!(Instant::now() < deadline, "the process does not stop");
            std::thread::yield_now();
        }
        drop(lock);
    }

    /// The file is as SQLite wants it to be, and the doctor finds nothing in the store.
    pub(crate) async fn check_integrity(&self) {
        if let Some(file) = self.file() {
            let connection = rusqlite::Connection::open(file).unwrap();
            connection.busy_timeout(PATIENCE).unwrap();
            let verdict: String = connection
                .query_row("PRAGMA integrity_check", [], |row| row.get(0))
                .unwrap();
            assert_eq!(verdict, "ok");
        }
        let report = Api::new(&self.client).doctor().await.unwrap();
        assert!(report.is_sound(), "{report}");
    }
}

async fn insist(client: Client, job: NewJob) {
    let mut push = client.push_job(job.clone());
    loop {
        match (&mut push).await {
            Ok(_) => return,
            Err(PushError::Unknown { .. }) => {}
            Err(PushError::Unavailable { .. }) => push = client.push_job(job.clone()),
            Err(error) => panic!("{error}"),
        }
    }
}

/// A job of the worker's, with its arguments as JSON.
pub(crate) fn job(class: &str, args: impl Serialize) -> NewJob {
    NewJob::new(class, serde_json::to_string(&args).unwrap())
}

/// The same, for later.
pub(crate) fn job_in(delay: Duration, class: &str, args: impl Serialize) -> NewJob {
    let mut job = job(class, args);
    job.at = Some(Timestamp::from_wall_clock().after(delay));
    job
}

/// A process to be.
pub(crate) struct Setup<'a> {
    site: &'a Site,
    url: String,
    variables: Vec<(&'static str, String)>,
    arguments: Vec<String>,
    under: Vec<String>,
}

impl Setup<'_> {
    /// Dies at the nth arrival at a point.
    pub(crate) fn dies_at(self, point: &str, nth: u32) -> Self {
        self.variable("CRASH_KILL", format!("{point}:{nth}"))
    }

    /// The lease; without one, it has the default.
    pub(crate) fn lease(self, lease: Option<Duration>) -> Self {
        match lease {
            Some(lease) => self.variable("CRASH_LEASE_MS", lease.as_millis().to_string()),
            None => self,
        }
    }

    /// Waits for its store where that answers late, since nobody starts it again.
    pub(crate) fn patient(self) -> Self {
        self.variable("CRASH_PATIENT", "1")
    }

    /// Pushes bulks, from this number on, and works on nothing.
    pub(crate) fn pushes(self, first: u64) -> Self {
        self.variable("CRASH_PUSH", first.to_string())
    }

    /// Reaches the store at another URL, for instance through a proxy.
    pub(crate) fn store(mut self, url: impl Into<String>) -> Self {
        self.url = url.into();
        self
    }

    pub(crate) fn variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Is started by another program.
    pub(crate) fn under(mut self, command: &[&str]) -> Self {
        self.under = command.iter().map(|&word| word.to_owned()).collect();
        self
    }

    pub(crate) fn start(self) -> Process {
        let worker = env!("CARGO_BIN_EXE_crash-worker").to_owned();
        let mut words = self.under.into_iter().chain([worker]).chain(self.arguments);
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let id = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("{id}.log");
        let stderr = File::create(self.site.path(&name)).unwrap();
        let mut child = Command::new(words.next().unwrap())
            .args(words)
            .env("CRASH_ID", id.to_string())
            .env("CRASH_STORE", self.url)
            .env("CRASH_LOG", self.site.path("log"))
            // The test's own setting.
            .env_remove("CRASH_LEASE_MS")
            .envs(self.variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Process {
            id,
            pid: child.id().unwrap(),
            // Waiting for the child would close it.
            _lifeline: child.stdin.take().unwrap(),
            child,
            log: self.site.path(&name),
        }
    }
}

/// A process that runs, until it is dropped at the latest.
pub(crate) struct Process {
    /// Its number in reports: ids of processes are used again.
    pub(crate) id: u32,
    pub(crate) pid: u32,
    child: Child,
    _lifeline: ChildStdin,
    log: PathBuf,
}

impl Process {
    pub(crate) fn send(&self, signal: Signal) {
        send(self.pid, signal);
    }

    /// Whether all of its threads stand still.
    fn is_suspended(&self) -> bool {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid)).unwrap();
        threads.flatten().all(|thread| {
            let status = std::fs::read_to_string(thread.path().join("status"));
            status.is_ok_and(|status| status.contains("State:\tT"))
        })
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        match timeout(PATIENCE, self.child.wait()).await {
            Ok(status) => status.unwrap(),
            Err(_) => panic!("the process does not end:\n{}", self.log()),
        }
    }

    /// Whether it has ended after this time.
    pub(crate) async fn ends_within(&mut self, time: Duration) -> Option<ExitStatus> {
        timeout(time, self.child.wait())
            .await
            .ok()
            .map(Result::unwrap)
    }

    /// Stops it in order; gives the time it took.
    pub(crate) async fn stop(mut self) -> Duration {
        let begun = Instant::now();
        self.send(Signal::TERM);
        let status = self.ended().await;
        assert!(status.success(), "{status}:\n{}", self.log());
        begun.elapsed()
    }

    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) async fn until_logged(&self, text: &str) {
        let logged = async {
            while !self.log().contains(text) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        if timeout(PATIENCE, logged).await.is_err() {
            panic!("it never logged {text:?}:\n{}", self.log());
        }
    }
}

pub(crate) fn send(process: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

pub(crate) fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(9)
}
