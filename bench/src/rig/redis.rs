//! A private Redis.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{Process, Resp, pause};
use crate::Result;

/// A `redis-server` without persistence, on a free port of the loopback interface.
#[derive(Debug)]
pub(crate) struct Redis {
    connection: Resp,
    port: u16,
    _server: Process,
}

/// What it has been used for up to a moment, without what asking for that costs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RedisUsage {
    pub(crate) cpu: Duration,
    /// How often it read from a connection: a round trip, unless a request is larger than what it reads at once (16 KiB).
    pub(crate) trips: u64,
    /// In both directions.
    pub(crate) bytes: u64,
    /// In use now.
    pub(crate) memory: u64,
    /// The answer that told all this, which is sent after it was counted.
    answer: u64,
}

/// The bytes of `INFO all`.
const QUESTION: u64 = 22;

impl Redis {
    pub(crate) fn start() -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no", "--maxclients", "4000"]);
        let server = Process::start("redis-server", &command).map_err(|error| {
            format!("{error}; install it (Debian: apt-get install redis-server)")
        })?;
        let patience = Instant::now() + Duration::from_secs(10);
        let connection = loop {
            match Resp::connect(port) {
                Ok(connection) => break connection,
                Err(error) if Instant::now() > patience => return Err(error),
                Err(_) => pause(Duration::from_millis(2)),
            }
        };
        Ok(Self {
            connection,
            port,
            _server: server,
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn call(&mut self, command: &[&str]) -> Result<String> {
        self.connection.call(command)
    }

    pub(crate) fn usage(&mut self) -> Result<RedisUsage> {
        let info = self.call(&["INFO", "all"])?;
        let field = |name: &str| -> Result<f64> {
            let line = info
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .ok_or_else(|| format!("INFO has no {name}"))?;
            Ok(line.trim().parse()?)
        };
        let whole = |name: &str| field(name).map(whole);
        Ok(RedisUsage {
            cpu: Duration::from_secs_f64(field("used_cpu_sys")? + field("used_cpu_user")?),
            trips: whole("total_reads_processed")?,
            bytes: whole("total_net_input_bytes")? + whole("total_net_output_bytes")?,
            memory: whole("used_memory")?,
            answer: info.len() as u64,
        })
    }
}

impl RedisUsage {
    pub(crate) fn since(self, before: &Self) -> Self {
        let asking = QUESTION + before.answer + 10;
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            trips: (self.trips - before.trips).saturating_sub(1),
            bytes: (self.bytes - before.bytes).saturating_sub(asking),
            ..self
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counters are whole and not negative"
)]
fn whole(value: f64) -> u64 {
    value as u64
}
