//! Processes of Ruby: one that evaluates what a test asks, Sidekiq's worker, and its Web UI.

use std::path::PathBuf;
use std::process::Stdio;

use sancho_tests::RedisServer;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::harness::in_time;

/// A process of Ruby. It ends when it is dropped, and also when the test process dies: then its standard input ends.
pub(crate) struct Process {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

/// Sidekiq's client and API, which evaluate the Ruby of a test.
pub(crate) struct Ruby(tokio::sync::Mutex<Process>);

impl Process {
    /// Sidekiq's own worker with the jobs of `worker.rb`.
    pub(crate) fn sidekiq(redis: &RedisServer, queues: &[&str]) -> Self {
        let mut command = Command::new("sidekiq");
        command.arg("-r").arg(script("worker.rb"));
        command.args(["-c", "2", "-t", "10", "-g", "ruby"]);
        for queue in queues {
            command.args(["-q", queue]);
        }
        Self::start(&mut command, redis)
    }

    /// Sidekiq's Web UI; and its port.
    pub(crate) async fn web(redis: &RedisServer) -> (Self, u16) {
        let mut process = Self::start(Command::new("ruby").arg(script("web.rb")), redis);
        let port = process.line().await.parse().unwrap();
        (process, port)
    }

    /// As the operating system would end it without a word.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(&mut self) {
        let id = self.child.id().expect("it runs").to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.await.unwrap().success());
        self.ended().await;
    }

    /// Waits for it to end by itself, in order.
    pub(crate) async fn ended(&mut self) {
        let status = in_time("Ruby ends", self.child.wait()).await.unwrap();
        assert!(status.success(), "{status}");
    }

    fn start(command: &mut Command, redis: &RedisServer) -> Self {
        let mut child = command
            .env("REDIS_URL", redis.url())
            .env_remove("REDIS_PROVIDER")
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect(
                "Ruby and Sidekiq are installed (Debian: apt-get install ruby-sidekiq ruby-webrick ruby-activejob)",
            );
        let stdin = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            child,
            stdin,
            lines,
        }
    }

    async fn line(&mut self) -> String {
        in_time("Ruby answers", self.lines.next_line())
            .await
            .unwrap()
            .expect("Ruby has not ended")
    }
}

impl Ruby {
    pub(crate) fn start(redis: &RedisServer) -> Self {
        let process = Process::start(Command::new("ruby").arg(script("driver.rb")), redis);
        Self(tokio::sync::Mutex::new(process))
    }

    /// What Ruby makes of this code, in which `a` is the arguments.
    pub(crate) async fn eval(&self, code: &str, args: Value) -> Value {
        let mut process = self.0.lock().await;
        let request = json!({ "code": code, "args": args }).to_string() + "\n";
        process.stdin.write_all(request.as_bytes()).await.unwrap();
        let mut reply: Value = serde_json::from_str(&process.line().await).unwrap();
        assert!(reply.get("error").is_none(), "{code}: {}", reply["error"]);
        reply["ok"].take()
    }

    /// The same where there are no arguments.
    pub(crate) async fn get(&self, code: &str) -> Value {
        self.eval(code, Value::Null).await
    }
}

fn script(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "interop/ruby", name]
        .iter()
        .collect()
}
