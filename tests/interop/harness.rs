//! What the tests stand on: a Redis of their own, Ruby and a client of ours beside it, and servers that are stopped.

use std::future::Future;
use std::time::{Duration, Instant};

use sancho::api::Api;
use sancho::runtime::{Server, ServerBuilder};
use sancho::{Client, Config, Wire};
use sancho_tests::RedisServer;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::ruby::{Process, Ruby};

/// How long a test waits for what must happen. Far longer than it takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long between two looks at what another process does.
const PAUSE: Duration = Duration::from_millis(20);

/// A Redis with Ruby on one side and us on the other.
pub(crate) struct Interop {
    // Ruby ends before its Redis does.
    pub(crate) ruby: Ruby,
    pub(crate) client: Client,
    pub(crate) redis: RedisServer,
}

/// A server of ours that runs.
pub(crate) struct Running {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<sancho::Result<()>>,
}

/// What jobs of ours report to, as their state.
pub(crate) type Report = mpsc::UnboundedSender<Value>;

/// What they have reported.
pub(crate) struct Reports(mpsc::UnboundedReceiver<Value>);

impl Interop {
    pub(crate) async fn start() -> Self {
        let redis = RedisServer::start(&[]);
        let config = Config::new()
            .store(redis.url())
            .sidekiq_wire(Wire::Sidekiq6);
        Self {
            ruby: Ruby::start(&redis),
            client: Client::connect(config).await.unwrap(),
            redis,
        }
    }

    pub(crate) fn api(&self) -> Api {
        Api::new(&self.client)
    }

    /// A server of ours, with reports as state.
    pub(crate) fn server(&self) -> (ServerBuilder, Reports) {
        let (report, reports) = mpsc::unbounded_channel();
        let builder = Server::builder().client(&self.client).tag("rust");
        (builder.state::<Report>(report), Reports(reports))
    }

    /// A process of Sidekiq that has shown itself; and its identity.
    pub(crate) async fn sidekiq(&self, queues: &[&str]) -> (Process, String) {
        let process = Process::sidekiq(&self.redis, queues);
        (process, self.identity("ruby").await)
    }

    /// The identity of the process with this tag, once Ruby sees it.
    pub(crate) async fn identity(&self, tag: &str) -> String {
        let code = "Sidekiq::ProcessSet.new(false).find { |process| process.tag == a }&.identity";
        let found = self.until_ruby(code, json!(tag), Value::is_string).await;
        found.as_str().unwrap().to_owned()
    }

    /// Waits until what Ruby makes of this code is as wanted.
    pub(crate) async fn until_ruby(
        &self,
        code: &str,
        args: Value,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let begun = Instant::now();
        loop {
            let value = self.ruby.eval(code, args.clone()).await;
            if wanted(&value) {
                return value;
            }
            assert!(begun.elapsed() < PATIENCE, "{code}: it stays {value}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What a Sidekiq process has run, once it is so much.
    pub(crate) async fn ran(&self, count: usize) -> Vec<Value> {
        let has_run = |list: &Value| list.as_array().unwrap().len() >= count;
        let list = self.until_ruby("list('ran')", Value::Null, has_run).await;
        assert_eq!(list.as_array().unwrap().len(), count);
        list.as_array().unwrap().clone()
    }
}

impl Running {
    pub(crate) fn start(builder: ServerBuilder) -> Self {
        let server = builder.build().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.run_until(async { _ = stopped.await }));
        Self {
            stop: Some(stop),
            task,
        }
    }

    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.ended().await;
    }

    /// Waits for one that was told to stop.
    pub(crate) async fn ended(self) {
        in_time("our server stops", self.task)
            .await
            .unwrap()
            .unwrap();
    }

    /// As if the process had died: it says nothing and hands nothing back.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

impl Reports {
    pub(crate) async fn next(&mut self) -> Value {
        in_time("a job reports", self.0.recv())
            .await
            .expect("the server is there")
    }

    /// What has been reported already.
    pub(crate) fn try_next(&mut self) -> Option<Value> {
        self.0.try_recv().ok()
    }

    pub(crate) fn is_silent(&mut self) -> bool {
        self.try_next().is_none()
    }
}

/// Waits until what is asked holds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, ask: impl Fn() -> F) {
    let asked = async {
        while !ask().await {
            tokio::time::sleep(PAUSE).await;
        }
    };
    in_time(what, asked).await;
}

/// What a future comes to, which it must.
pub(crate) async fn in_time<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("it never came about: {what}"))
}
