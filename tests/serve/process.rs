//! A folder, and the workers that run in it.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sancho::{Client, Config};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long anything may take. Far longer than it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The built worker.
pub(crate) const WORKER: &str = env!("CARGO_BIN_EXE_serve-worker");

/// A folder that workers run in.
pub(crate) struct Site {
    folder: TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What is in the folder.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// A client of the default store of this folder.
    pub(crate) async fn client(&self) -> Client {
        let url = format!("sqlite:{}", self.path("sancho.db").display());
        Client::connect(Config::new().store(url)).await.unwrap()
    }

    /// A worker in this folder, in no environment but that of the test.
    pub(crate) fn worker<T: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = T>,
    ) -> Command {
        let mut command = self.command(WORKER);
        command.args(arguments);
        command
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a worker that is to end by itself: its exit code, what it said, and what it said on standard error.
    pub(crate) async fn ended(&self, mut command: Command) -> (Option<i32>, String, String) {
        let output = timeout(PATIENCE, command.output())
            .await
            .expect("it did not end")
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    }
}

/// A worker that runs.
pub(crate) struct Worker {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    seen: Vec<String>,
}

impl Worker {
    /// Starts it, and reads all that it says.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (to, lines) = mpsc::unbounded_channel();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let said = BufReader::new(child.stdout.take().unwrap());
        let other = to.clone();
        tokio::spawn(async move {
            let mut lines = errors.lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let _ = other.send(line);
            }
        });
        tokio::spawn(async move {
            let mut lines = said.lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let _ = to.send(line);
            }
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Starts it and waits until it serves.
    pub(crate) async fn serving(command: Command) -> Self {
        let mut worker = Self::start(command);
        worker.line("sancho serves").await;
        worker
    }

    /// The next line that has all of this in it.
    pub(crate) async fn line(&mut self, part: &str) -> String {
        loop {
            match timeout(PATIENCE, self.lines.recv()).await {
                Ok(Some(line)) => {
                    self.seen.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                _ => panic!("no line has {part:?}:\n{}", self.seen.join("\n")),
            }
        }
    }

    pub(crate) fn send(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait())
            .await
            .expect("it did not end")
            .unwrap()
    }

    /// Stops it, which must end well.
    pub(crate) async fn stop(mut self) {
        self.send(Signal::TERM);
        let status = self.ended().await;
        assert!(status.success(), "{status}:\n{}", self.seen.join("\n"));
    }
}
