//! A private Redis.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Result, usage};

/// A `redis-server` without persistence, on a free port of the loopback interface.
pub(crate) struct Redis {
    server: Child,
    port: u16,
}

impl Redis {
    pub(crate) fn start() -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("redis-server cannot be started ({error}); install it (Debian: apt-get install redis-server)"))?;
        let redis = Self { server, port };
        let patience = Instant::now() + Duration::from_secs(10);
        while redis.command("PING").is_err() {
            if Instant::now() > patience {
                return Err("redis-server does not answer".into());
            }
            std::thread::yield_now();
        }
        Ok(redis)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its CPU time, and how many commands it was sent.
    pub(crate) fn usage(&self) -> Result<(Duration, u64)> {
        let info = self.command("INFO")?;
        let field = |name: &str| -> Result<f64> {
            let line = info
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .ok_or_else(|| format!("INFO has no {name}"))?;
            Ok(line.trim().parse()?)
        };
        let cpu = field("used_cpu_sys:")? + field("used_cpu_user:")?;
        // What scripts call inside is counted among the commands, so the round trips are read from what came in by itself.
        let stats = self.command("INFO commandstats")?;
        let trips = [
            "cmdstat_evalsha:",
            "cmdstat_eval:",
            "cmdstat_fcall:",
            "cmdstat_zrange:",
            "cmdstat_zrangebyscore:",
            "cmdstat_ping:",
            "cmdstat_info:",
        ]
        .iter()
        .filter_map(|name| stats.lines().find_map(|line| line.strip_prefix(name)))
        .filter_map(|line| {
            line.strip_prefix("calls=")?
                .split(',')
                .next()?
                .parse::<u64>()
                .ok()
        })
        .sum();
        Ok((Duration::from_secs_f64(cpu), trips))
    }

    fn command(&self, command: &str) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        usage::terminate(self.server.id());
        let _ = self.server.wait();
    }
}
