//! A private Redis server.

use std::io::{self, BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use tempfile::TempDir;

/// Starts the server with the arguments, tells its fate on standard output, and kills it when standard input ends. That
/// happens when the [`RedisServer`] is dropped and also when the test process dies in any way, so no server is left over.
const KEEPER: &str = r#"
dir=$1; shift
"${SANCHO_REDIS_SERVER:-redis-server}" "$@" & server=$!
exec >/dev/null 2>&1
read -r _
kill -9 $server; wait $server; rm -rf "$dir"
"#;

/// What a server logs when it serves, and what a Sentinel does.
const READY: [&str; 3] = [
    "Ready to accept connections",
    "ready to accept connections at",
    "Sentinel ID is",
];

/// A `redis-server` of one's own on a free loopback port, without persistence. Stopped when dropped.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    dir: PathBuf,
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
        Self::start_with(|port, dir| {
            let port = port.to_string();
            let mut all = vec!["--port", &port, "--bind", "127.0.0.1"];
            let dir = dir.to_str().expect("the folder's name is text");
            all.extend(["--save", "", "--appendonly", "no", "--dir", dir]);
            all.extend(arguments);
            all.into_iter().map(str::to_owned).collect()
        })
    }

    /// Starts a server with the arguments for a port and a folder, which is removed with it.
    ///
    /// # Panics
    /// Panics where `redis-server` cannot be run; the message says how to get it.
    #[must_use]
    pub fn start_with(arguments: impl Fn(u16, &Path) -> Vec<String>) -> Self {
        // Another process may take the port between the choice and the server's bind.
        for _ in 0..20 {
            if let Some(server) = Self::try_start(&arguments).expect("sh runs and answers") {
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

    /// The port that it was started for.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn try_start(arguments: &impl Fn(u16, &Path) -> Vec<String>) -> io::Result<Option<Self>> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let dir = TempDir::new()?.keep();
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .arg(&dir)
            .args(arguments(port, &dir))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let lifeline = keeper.stdin.take();
        let mut log = BufReader::new(keeper.stdout.take().expect("standard output is piped"));
        let mut server = Self {
            port,
            dir,
            keeper,
            lifeline,
        };
        let mut line = String::new();
        while log.read_line(&mut line)? > 0 {
            if READY.iter().any(|ready| line.contains(ready)) {
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
