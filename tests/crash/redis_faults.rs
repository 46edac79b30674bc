//! What can happen to a Redis, and to the way there. After each, the engine goes on by itself.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use sancho::{Client, Config, Error, Push, PushError};
use sancho_tests::RedisServer;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::ledger::What;
use crate::proxy::{Mode, Proxy};
use crate::report::row;
use crate::site::{Kind, PATIENCE, Process, Site, job};

/// How many jobs run while the fault is there, and how many are pushed meanwhile.
const RUNNING: u64 = 4;
const PUSHED: u64 = 6;

/// A worker with jobs in its hands, and a client; both on one way to the store.
struct Scene {
    name: &'static str,
    site: Site,
    client: Client,
    worker: Process,
    next: u64,
    acknowledged: BTreeSet<u64>,
    /// Pushes whose answer was lost.
    unknown: Vec<(u64, Push)>,
}

impl Scene {
    async fn new(name: &'static str, site: Site, url: &str) -> Self {
        let client = Client::connect(Config::new().store(url)).await.unwrap();
        let gate = site.path("gate");
        site.push((0..RUNNING).map(|n| job("Waits", json!([n, gate]))))
            .await;
        let worker = site.worker().store(url).arguments(&["-c", "20"]).start();
        let running = usize::try_from(RUNNING).unwrap();
        site.until_reported(running, |what| matches!(what, What::Start(..)))
            .await;
        Self {
            name,
            site,
            client,
            worker,
            next: RUNNING,
            acknowledged: (0..RUNNING).collect(),
            unknown: Vec::new(),
        }
    }

    /// While the fault is there: what runs ends, and more is pushed.
    async fn meanwhile(&mut self) {
        std::fs::write(self.site.path("gate"), "").unwrap();
        let pushes: Vec<_> = (self.next..self.next + PUSHED)
            .map(|n| {
                let mut push = self.client.push_job(job("Fast", [n]));
                tokio::spawn(async move { (n, (&mut push).await, push) })
            })
            .collect();
        self.next += PUSHED;
        for push in pushes {
            match push.await.unwrap() {
                (n, Ok(_), _) => _ = self.acknowledged.insert(n),
                (n, Err(PushError::Unknown { .. }), push) => self.unknown.push((n, push)),
                // Certainly not applied.
                (_, Err(PushError::Unavailable { .. } | PushError::Refused { .. }), _) => {}
                (n, Err(error), _) => panic!("{}: push {n}: {error}", self.name),
            }
        }
    }

    /// After the fault: lost answers are asked for again, and everything goes on.
    async fn afterwards(mut self) -> Self {
        let lost_answers = self.unknown.len();
        for (n, mut push) in std::mem::take(&mut self.unknown) {
            let answered = async {
                while let Err(error) = (&mut push).await {
                    assert!(matches!(error, PushError::Unknown { .. }), "{n}: {error}");
                }
            };
            let answered = timeout(Duration::from_secs(50), answered).await;
            let log = self.worker.log();
            assert!(
                answered.is_ok(),
                "{}: a repeat is not answered:\n{log}",
                self.name
            );
            self.acknowledged.insert(n);
        }
        let n = self.next;
        let pushed = async {
            while self.client.push_job(job("Fast", [n])).await.is_err() {
                sleep(Duration::from_millis(50)).await;
            }
        };
        let taken = timeout(PATIENCE, pushed).await;
        assert!(taken.is_ok(), "{}: pushes are not taken again", self.name);
        self.acknowledged.insert(n);
        self.site
            .until("the engine has gone on", || async {
                self.site.ledger().ended().contains(&n).then_some(())
            })
            .await;
        row(&[
            "Redis".into(),
            self.name.into(),
            self.acknowledged.len().to_string(),
            lost_answers.to_string(),
        ]);
        self
    }

    /// Every acknowledged job ran, once, and no other did.
    async fn nothing_is_lost(self) {
        let stats = self.site.until_idle().await;
        let ledger = self.site.ledger();
        let log = self.worker.log();
        assert_eq!(ledger.ended(), self.acknowledged, "{}:\n{log}", self.name);
        let again: Vec<_> = ledger
            .starts()
            .into_iter()
            .filter(|(_, by)| by.len() > 1)
            .collect();
        assert_eq!(again, [], "{}: ran again:\n{log}", self.name);
        let count = self.acknowledged.len() as u64;
        assert_eq!(
            (stats.processed, stats.failed, stats.dead),
            (count, 0, 0),
            "{}",
            self.name
        );
        self.worker.stop().await;
    }
}

/// Sends commands to a server, with nothing in between; gives the last answer.
async fn command(url: &str, commands: &[&str]) -> String {
    let host = url.strip_prefix("redis://").unwrap();
    let mut server = TcpStream::connect(host).await.unwrap();
    let mut last = String::new();
    for command in commands {
        let line = format!("{command}\r\n");
        server.write_all(line.as_bytes()).await.unwrap();
        let mut answer = vec![0; 1 << 16];
        let count = server.read(&mut answer).await.unwrap();
        last = String::from_utf8_lossy(&answer[..count]).into_owned();
        assert!(!last.starts_with('-'), "{command}: {last}");
    }
    last
}

/// A fault of the server's, made and mended by commands.
async fn server_fault(name: &'static str, breaks: &[&str], mends: &[&str]) {
    let site = Site::new(Kind::Redis).await;
    let url = site.redis.as_ref().unwrap().url();
    let mut scene = Scene::new(name, site, &url).await;
    command(&url, breaks).await;
    scene.meanwhile().await;
    command(&url, mends).await;
    scene.afterwards().await.nothing_is_lost().await;
}

/// A fault of the way.
async fn way_fault(name: &'static str, mode: Mode) {
    let site = Site::new(Kind::Redis).await;
    let proxy = Proxy::start(&site.redis.as_ref().unwrap().url()).await;
    let mut scene = Scene::new(name, site, &proxy.url()).await;
    proxy.set(mode);
    scene.meanwhile().await;
    proxy.set(Mode::Pass);
    scene.afterwards().await.nothing_is_lost().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_the_way() {
    let delay = Mode::Delay(Duration::from_secs(2));
    tokio::join!(
        way_fault("cut", Mode::Cut),
        way_fault("half-open", Mode::Stall),
        way_fault("delayed by 2 s", delay),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_the_server() {
    tokio::join!(
        server_fault(
            "read-only replica",
            &["REPLICAOF 127.0.0.1 1"],
            &["REPLICAOF NO ONE"]
        ),
        server_fault(
            "OOM command not allowed",
            &["CONFIG SET maxmemory 1"],
            &["CONFIG SET maxmemory 0"]
        ),
        server_fault("SCRIPT FLUSH", &["SCRIPT FLUSH"], &["PING"]),
        server_fault(
            "ACL that forbids EVALSHA",
            &["ACL SETUSER default -evalsha"],
            &["ACL SETUSER default +evalsha"]
        ),
        server_fault(
            "password changed",
            &[
                "CONFIG SET requirepass other",
                "CLIENT KILL TYPE normal SKIPME yes"
            ],
            &["AUTH other", "CONFIG SET requirepass \"\""]
        ),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_with_data_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().to_str().unwrap();
    let arguments = [
        "--dir",
        dir,
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
    ];
    let first = RedisServer::start(&arguments);
    let proxy = Proxy::start(&first.url()).await;
    let site = Site::at(TempDir::new().unwrap(), proxy.url(), None).await;
    let mut scene = Scene::new("restarted with its data", site, &proxy.url()).await;
    drop(first);
    scene.meanwhile().await;
    let second = RedisServer::start(&arguments);
    proxy.lead_to(&second.url());
    scene.afterwards().await.nothing_is_lost().await;
}

/// What the store dropped is counted and named, and the engine goes on as a new owner.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_lost_everything_is_noticed() {
    let flushed = async {
        let site = Site::new(Kind::Redis).await;
        let url = site.redis.as_ref().unwrap().url();
        let scene = Scene::new("FLUSHALL", site, &url).await;
        command(&url, &["FLUSHALL"]).await;
        goes_on_without(scene).await;
    };
    let restarted = async {
        let first = RedisServer::start(&[]);
        let proxy = Proxy::start(&first.url()).await;
        let site = Site::at(TempDir::new().unwrap(), proxy.url(), None).await;
        let mut scene = Scene::new("restarted without its data", site, &proxy.url()).await;
        // A new number in a new lane is all that is known of: what is pushed meanwhile is asked for again.
        drop(first);
        scene.meanwhile().await;
        let second = RedisServer::start(&[]);
        proxy.lead_to(&second.url());
        goes_on_without(scene).await;
    };
    tokio::join!(flushed, restarted);
}

async fn goes_on_without(scene: Scene) {
    scene
        .worker
        .until_logged("claims were lost, going on as a new owner")
        .await;
    let scene = scene.afterwards().await;
    let log = scene.worker.log();
    // A claim is counted as lost unless its result was refused before that; a result that is there already is sent all the
    // same, and refused, of a claim that was counted too.
    let refused = log.matches("a late result was refused").count() as u64;
    let lost: u64 = log
        .split_once(" claims were lost")
        .and_then(|(before, _)| before.rsplit_once(' ')?.1.parse().ok())
        .expect("the number of lost claims is logged");
    assert!(lost <= RUNNING && refused <= RUNNING, "{log}");
    assert!(lost + refused >= RUNNING, "{log}");
    scene.worker.stop().await;
}

/// The master dies, and the sentinel makes the replica the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_by_sentinel_is_followed() {
    let port = |url: &str| url.rsplit_once(':').unwrap().1.to_owned();
    let master = RedisServer::start(&[]);
    let replica = RedisServer::start(&["--replicaof", "127.0.0.1", &port(&master.url())]);
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("sentinel.conf");
    let text = format!(
        "sentinel monitor jobs 127.0.0.1 {} 1\nsentinel down-after-milliseconds jobs 500\nsentinel failover-timeout jobs 3000\n",
        port(&master.url())
    );
    std::fs::write(&config, text).unwrap();
    let (sentinel, _keeper) = start_sentinel(&config).await;
    let url = format!(
        "{}?sentinelServiceName=jobs",
        sentinel.replace("redis://", "redis-sentinel://")
    );
    let site = Site::at(TempDir::new().unwrap(), url.clone(), None).await;
    let mut scene = Scene::new("failover by sentinel", site, &url).await;
    // What the replica does not have yet is lost with its master: that is Redis's promise, not ours.
    until_info(&replica.url(), "master_link_status:up").await;
    until_info(&sentinel, "slaves=1").await;
    until_caught_up(&master.url()).await;
    drop(master);
    scene.meanwhile().await;
    scene.afterwards().await.nothing_is_lost().await;
}

/// Its URL, and what ends it when it is dropped.
async fn start_sentinel(config: &Path) -> (String, Child) {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let keeper = Command::new("sh")
        .args(["-c", r#"redis-server "$@" & read -r _; kill -9 $!"#, "sh"])
        .arg(config)
        .args([
            "--sentinel",
            "--bind",
            "127.0.0.1",
            "--port",
            &port.to_string(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let url = format!("redis://127.0.0.1:{port}");
    let there = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, there)
        .await
        .expect("redis-server runs as a sentinel");
    (url, keeper)
}

async fn until_info(url: &str, line: &str) {
    let there = async {
        while !command(url, &["INFO"]).await.contains(line) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, there)
        .await
        .unwrap_or_else(|_| panic!("{url} never says {line}"));
}

async fn until_caught_up(master: &str) {
    assert!(command(master, &["WAIT 1 60000"]).await.starts_with(":1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_evicts_is_warned_of() {
    let site = Site::on_redis(RedisServer::start(&["--maxmemory-policy", "allkeys-lru"])).await;
    let worker = site.worker().start();
    worker.until_logged("allkeys-lru").await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_an_error_that_says_so() {
    let server = RedisServer::start(&["--requirepass", "right"]);
    let url = server.url().replace("redis://", "redis://:wrong@");
    let error: Error = Client::connect(Config::new().store(url)).await.unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("the user and password") && !error.contains("wrong@"),
        "{error}"
    );
}
