//! A job, who runs it, and who hears of it.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sancho::api::Api;
use sancho::runtime::Server;
use sancho::{Client, Config, job};
use sancho_tests::RedisServer;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long anything may take. Far longer than it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

#[job]
pub(crate) async fn said(text: String, #[state] said: &mpsc::UnboundedSender<String>) {
    said.send(text).unwrap();
}

/// How often `second_time` has run.
pub(crate) struct Runs(AtomicU32);

#[job]
pub(crate) async fn second_time(
    text: String,
    #[state] said: &mpsc::UnboundedSender<String>,
    #[state] runs: &Runs,
) -> Result<(), String> {
    if runs.0.fetch_add(1, Ordering::SeqCst) == 0 {
        return Err("not yet".into());
    }
    said.send(text).unwrap();
    Ok(())
}

/// A worker on a URL, a client of its own beside it, and what the jobs said.
pub(crate) struct Site {
    pub(crate) client: Client,
    heard: mpsc::UnboundedReceiver<String>,
    stop: oneshot::Sender<()>,
    worker: JoinHandle<sancho::Result<()>>,
}

impl Site {
    pub(crate) async fn at(url: &str) -> Self {
        let (say, heard) = mpsc::unbounded_channel();
        let server = Server::builder()
            .store(url)
            .only::<said>()
            .only::<second_time>()
            .state(say)
            .state(Runs(AtomicU32::new(0)))
            .build()
            .unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let worker = tokio::spawn(server.run_until(async { _ = stopped.await }));
        let client = Client::connect(Config::new().store(url)).await.unwrap();
        Self {
            client,
            heard,
            stop,
            worker,
        }
    }

    pub(crate) async fn hears(&mut self, text: &str) {
        let heard = timeout(PATIENCE, self.heard.recv()).await;
        assert_eq!(heard.expect("the job runs").as_deref(), Some(text));
    }

    /// A push, a retry and a schedule.
    pub(crate) async fn works(&mut self) {
        let client = self.client.clone();
        said::set()
            .client(&client)
            .perform_async("pushed".into())
            .await
            .unwrap();
        self.hears("pushed").await;
        second_time::set()
            .client(&client)
            .perform_async("retried".into())
            .await
            .unwrap();
        // As an operator does who does not wait for the jitter of a retry.
        let api = Api::new(&client);
        while self.heard.is_empty() {
            api.retries().retry_all().finish().await.unwrap();
        }
        self.hears("retried").await;
        let soon = Duration::from_millis(50);
        said::set()
            .client(&client)
            .perform_in(soon, "scheduled".into())
            .await
            .unwrap();
        self.hears("scheduled").await;
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        timeout(PATIENCE, self.worker)
            .await
            .expect("it stops")
            .unwrap()
            .unwrap();
    }
}

/// Why a store cannot be used, as a user reads it.
pub(crate) async fn refusal(url: &str) -> String {
    let error = Client::connect(Config::new().store(url))
        .await
        .map(drop)
        .unwrap_err();
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    let text = error.to_string();
    assert!(!text.contains("secret") && !text.contains('\n'), "{text}");
    text
}

/// Asks a server as any other client would.
pub(crate) fn ask(server: &RedisServer, command: &[&str]) -> String {
    let output = Command::new("redis-cli")
        .args(["-p", &server.port().to_string()])
        .args(command)
        .output()
        .expect("redis-cli is installed (Debian: apt-get install redis-tools)");
    String::from_utf8(output.stdout).unwrap()
}
