//! A private Redis server.

use std::io::{self, BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use tempfile::TempDir;

/// Starts the server with the arguments, tells its fate on standard output, and kills it when standard input ends. That
/// happens when the [`RedisServer`] is dropped and also when the test process dies in any way, so no server is left over.
const KEEPER: &str = r#"
dir=$1; shift
redis-server "$@" & server=$!
exec >/dev/null 2>&1
read -r _
kill -9 $server; wait $server; rm -rf "$dir"
"#;

/// A `redis-server` of one's own on a free loopback port, without persistence. Stopped when dropped.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    keeper: Child,
    lifeline: Option<ChildStdin>,
}

impl RedisServer {
    /// Starts a server with further arguments, such as `["--maxmemory", "8mb"]`.
    ///
    /// # Panics
    /// Panics where `redis-server` cannot be run; the message says how to get it.
    #[must_use]
    pub fn start(arguments: &[&str]) -> Self {
        // Another process may take the port between the choice and the server's bind.
        for _ in 0..20 {
            if let Some(server) = Self::try_start(arguments).expect("sh runs and answers") {
                return server;
            }
        }
        panic!("redis-server did not start: install it (Debian: apt-get install redis-server)");
    }

    /// The server that all tests of this binary share; each uses a key prefix of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<RedisServer> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn try_start(arguments: &[&str]) -> io::Result<Option<Self>> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let dir = TempDir::new()?.keep();
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .arg(&dir)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(&dir)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let lifeline = keeper.stdin.take();
        let mut log = BufReader::new(keeper.stdout.take().expect("standard output is piped"));
        let mut server = Self {
            port,
            keeper,
            lifeline,
        };
        let mut line = String::new();
        while log.read_line(&mut line)? > 0 {
            if line.contains("Ready to accept connections") {
                // The server keeps logging: a full pipe would stop it.
                thread::spawn(move || io::copy(&mut log, &mut io::sink()));
                return Ok(Some(server));
            }
            line.clear();
        }
        server.stop();
        Ok(None)
    }

    fn stop(&mut self) {
        drop(self.lifeline.take());
        // There is nobody to tell when it fails.
        drop(self.keeper.wait());
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}
