//! A private server, and a plain client of it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A `redis-server` of one's own on a free port of the loopback interface, stopped when dropped.
pub(super) struct Server {
    port: u16,
    process: Child,
    dir: TempDir,
}

impl Server {
    pub(super) fn start() -> Self {
        // Another process may take the port between the choice and the server's bind.
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0")
                .and_then(|listener| listener.local_addr())
                .unwrap()
                .port();
            let dir = TempDir::new().unwrap();
            let process = spawn(port, &dir);
            let mut server = Self { port, process, dir };
            if server.is_ready() {
                return server;
            }
        }
        panic!("redis-server did not start: install it (Debian: apt-get install redis-server)");
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again, empty, at the same port.
    pub(super) fn restart(&mut self) {
        self.process = spawn(self.port, &self.dir);
        assert!(self.is_ready(), "the port was taken meanwhile");
    }

    /// Sends a command as any other client would; the answer is its text without the marks of the protocol, a line each.
    pub(super) fn run(&self, command: &[&str]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut request = format!("*{}\r\n", command.len());
        for word in command {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        request.push_str("*1\r\n$4\r\nQUIT\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let lines = answer.strip_suffix("+OK\r\n").unwrap().lines();
        lines
            .filter(|line| !line.starts_with('$') && !line.starts_with('*'))
            .map(|line| line.trim_start_matches([':', '+']))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Waits until it serves; false where it ended instead.
    fn is_ready(&mut self) -> bool {
        let mut log = BufReader::new(self.process.stdout.take().unwrap());
        let mut line = String::new();
        while log.read_line(&mut line).unwrap() > 0 {
            if line.contains("Ready to accept connections") {
                // It goes on logging, and a full pipe would stop it.
                std::thread::spawn(move || io::copy(&mut log, &mut io::sink()));
                return true;
            }
            line.clear();
        }
        false
    }
}

fn spawn(port: u16, dir: &TempDir) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("redis-server is installed (Debian: apt-get install redis-server)")
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been stopped by the test.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
