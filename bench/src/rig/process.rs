//! A process of ours: what it prints, what it uses, and its end.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Folder;
use crate::Result;

/// How long a line may keep us waiting.
const PATIENCE: Duration = Duration::from_secs(300);

/// The unit of `/proc/PID/stat`: a hundredth of a second on every Linux that we know.
const TICK: Duration = Duration::from_millis(10);

/// A process, killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    lines: Receiver<Line>,
    folder: Folder,
}

/// Something that it printed.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: Instant,
    pub(crate) text: String,
}

impl Process {
    pub(crate) fn start(name: &str, command: &Command) -> Result<Self> {
        let folder = Folder::new()?;
        let mut command = bound(command);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(fs::File::create(folder.file("stderr"))?);
        let mut child = command
            .spawn()
            .map_err(|error| format!("{name} cannot be started: {error}"))?;
        let (sender, lines) = channel();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                for text in BufReader::new(output)
                    .lines()
                    .map_while(std::io::Result::ok)
                {
                    let at = Instant::now();
                    if sender.send(Line { at, text }).is_err() {
                        break;
                    }
                }
            });
        }
        Ok(Self {
            name: name.to_owned(),
            child,
            lines,
            folder,
        })
    }

    /// The next line, or none if there is none yet.
    pub(crate) fn line_within(&self, time: Duration) -> Result<Option<Line>> {
        match self.lines.recv_timeout(time) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(self.failed("ended too early")),
        }
    }

    /// The next line that begins with this word.
    pub(crate) fn line(&self, word: &str) -> Result<Line> {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.line_within(left)? {
                Some(line) if line.text.split(' ').next() == Some(word) => return Ok(line),
                Some(_) => {}
                None => return Err(self.failed(&format!("did not say {word:?}"))),
            }
        }
    }

    /// The numbers after this word in its next line.
    pub(crate) fn numbers(&self, word: &str) -> Result<Vec<u64>> {
        let line = self.line(word)?;
        let numbers = line.text.split_whitespace().skip(1).map(str::parse);
        Ok(numbers.collect::<std::result::Result<_, _>>()?)
    }

    /// The CPU time so far of the threads that it has, to the nanosecond.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let mut ns = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread may end meanwhile.
            let stat = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            ns += stat
                .split(' ')
                .next()
                .unwrap_or_default()
                .parse()
                .unwrap_or(0);
        }
        Ok(Duration::from_nanos(ns))
    }

    /// All CPU time that it ever used, to a hundredth of a second; also when it has ended.
    pub(crate) fn cpu_ever(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name, in brackets, may have spaces.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .map_or("", |(_, rest)| rest)
            .split_whitespace()
            .collect();
        let ticks = |index: usize| -> Result<u32> {
            Ok(fields.get(index).ok_or("a short /proc/PID/stat")?.parse()?)
        };
        Ok(TICK * (ticks(11)? + ticks(12)?))
    }

    /// The memory that it has now, in bytes.
    pub(crate) fn memory(&self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// The most memory that it ever had, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .ok_or_else(|| format!("no {name} in /proc/PID/status"))?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024)
    }

    /// Asks it to end, and waits.
    pub(crate) fn stop(mut self) {
        self.signal(Signal::TERM);
        let end = Instant::now() + Duration::from_secs(5);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            super::pause(Duration::from_millis(2));
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    fn failed(&self, what: &str) -> crate::Error {
        let errors = fs::read_to_string(self.folder.file("stderr")).unwrap_or_default();
        let lines: Vec<_> = errors.lines().collect();
        let tail = lines[lines.len().saturating_sub(5)..].join("\n");
        format!("{} {what}\n{tail}", self.name).into()
    }
}

/// The same command, but killed by the kernel when this process ends in a way that drops nothing.
fn bound(command: &Command) -> Command {
    let mut bound = Command::new("setpriv");
    bound.args(["--pdeathsig", "KILL", "--"]);
    bound.arg(command.get_program()).args(command.get_args());
    bound.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| value.map(|value| (name, value))),
    );
    bound
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
