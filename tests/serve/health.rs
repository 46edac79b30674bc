//! The port for metrics and probes.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sancho_tests::RedisServer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::deploy::deployed;
use crate::process::{Site, Worker};

/// How long anything may take. Far longer than it takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a worker with `--health 0` answers.
async fn address(worker: &mut Worker) -> SocketAddr {
    let line = worker.line("metrics and probes are on").await;
    let (_, from) = line.split_once("http://").unwrap();
    let (address, _) = from.split_once('/').unwrap();
    address.parse().unwrap()
}

/// The status and the body.
async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let asked = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    };
    let text = timeout(PATIENCE, asked).await.expect("no answer");
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let length = format!("Content-Length: {}\r\n", body.len());
    assert!(head.contains(&length), "{head}");
    let status = head.split(' ').nth(1).unwrap();
    (status.parse().unwrap(), body.to_owned())
}

/// Asks until this is the status, and gives the body.
async fn until(address: SocketAddr, path: &str, status: u16) -> String {
    let asked = async {
        loop {
            let (is, body) = get(address, path).await;
            if is == status {
                return body;
            }
            tokio::task::yield_now().await;
        }
    };
    let asked = timeout(PATIENCE, asked).await;
    asked.unwrap_or_else(|_| panic!("{path} was never {status}"))
}

/// The process of a Redis, as it says itself.
async fn process_of(redis: &RedisServer) -> Pid {
    let url = redis.url();
    let mut stream = TcpStream::connect(url.trim_start_matches("redis://"))
        .await
        .unwrap();
    stream.write_all(b"INFO server\r\nQUIT\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let mut lines = text.lines();
    let id = lines.find_map(|line| line.strip_prefix("process_id:"));
    Pid::from_raw(id.unwrap().parse().unwrap()).unwrap()
}

/// What the probes of the manifests ask for.
fn probes() -> Vec<String> {
    let lines = deployed("kubernetes.yaml");
    let lines = lines
        .lines()
        .filter_map(|line| line.trim().strip_prefix("path: "));
    lines.map(str::to_owned).collect()
}

/// The names of a scrape, each line of which must be one of Prometheus's.
fn names(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.split(' ');
            let (word, name) = (words.next().unwrap(), words.next().unwrap());
            match word {
                "HELP" => assert!(words.next().is_some(), "{line}"),
                "TYPE" => {
                    let kind = words.next().unwrap();
                    assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                    assert!(names.insert(name.to_owned()), "{name} is there twice");
                    if kind == "histogram" {
                        names.extend(["bucket", "sum", "count"].map(|it| format!("{name}_{it}")));
                    }
                    assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                }
                _ => panic!("{line}"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap();
        assert!(value >= 0.0, "{line}");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        assert!(labels.ends_with('}'), "{line}");
        assert!(names.contains(name), "{line} comes before its type");
    }
    names
}

#[tokio::test]
async fn a_worker_answers_probes_and_scrapes_as_long_as_it_runs() {
    let site = Site::new();
    let client = site.client().await;
    let mut worker = Worker::start(site.worker(["--health", "0", "-v"]));
    let address = address(&mut worker).await;
    assert!(address.ip().is_loopback(), "{address}");
    worker.line("sancho serves").await;
    until(address, "/readyz", 200).await;
    assert_eq!(get(address, "/livez").await, (200, "alive\n".into()));
    let probes = probes();
    assert_eq!(probes.len(), 3, "{probes:?}");
    for probe in probes {
        assert_eq!(get(address, &probe).await.0, 200, "{probe}");
    }
    client.push("Says", ("hello",)).await.unwrap();
    client.push("Fails", ()).await.unwrap();
    // The one that fails is tried again meanwhile.
    let counted = |text: &str, class| {
        let series = format!("sancho_jobs_processed_total{{class=\"{class}\",queue=\"default\"}} ");
        text.contains(&series)
    };
    let both = async {
        loop {
            let (status, text) = get(address, "/metrics").await;
            assert_eq!(status, 200);
            names(&text);
            if counted(&text, "Says") && counted(&text, "Fails") {
                break;
            }
        }
    };
    timeout(PATIENCE, both)
        .await
        .expect("the jobs were not counted");
    worker.send(Signal::TSTP);
    let why = until(address, "/readyz", 503).await;
    assert!(why.contains("quiet"), "{why}");
    assert_eq!(get(address, "/livez").await.0, 200);
    worker.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn without_its_store_a_worker_is_alive_and_not_ready_until_it_is_back() {
    let redis = RedisServer::start(&[]);
    let server = process_of(&redis).await;
    let site = Site::new();
    site.write("config/sidekiq.yml", "health: 0\n");
    let mut command = site.worker([] as [&str; 0]);
    command.env("REDIS_URL", redis.url());
    let mut worker = Worker::start(command);
    let address = address(&mut worker).await;
    worker.line("sancho serves").await;
    until(address, "/readyz", 200).await;
    kill_process(server, Signal::STOP).unwrap();
    let why = until(address, "/readyz", 503).await;
    assert!(why.contains("the store does not answer"), "{why}");
    assert_eq!(get(address, "/livez").await, (200, "alive\n".into()));
    let (status, text) = get(address, "/metrics").await;
    assert_eq!(status, 200);
    names(&text);
    assert!(text.contains("sancho_store_up 0\n"), "{text}");
    assert!(!text.contains("sancho_set_jobs{"), "{text}");
    kill_process(server, Signal::CONT).unwrap();
    until(address, "/readyz", 200).await;
    let (_, text) = get(address, "/metrics").await;
    assert!(text.contains("sancho_store_up 1\n"), "{text}");
    worker.stop().await;
}

#[tokio::test]
async fn a_port_in_use_is_one_line_and_exit_code_2() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let site = Site::new();
    let (code, said, errors) = site.ended(site.worker(["--health", &address])).await;
    assert_eq!((code, said.as_str()), (Some(2), ""), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(
        errors.starts_with(&format!("error: health is {address}")),
        "{errors}"
    );
    assert!(errors.contains("in use"), "{errors}");
    assert!(site.files().is_empty());
}

/// What looks like a metric in the queries of the dashboard.
fn queried(dashboard: &serde_json::Value, found: &mut BTreeSet<String>) {
    match dashboard {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(query) if ["expr", "query", "definition"].contains(&&**name) => {
                        let words =
                            query.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
                        let metrics = words
                            .filter(|it| it.starts_with("sancho_") || it.starts_with("process_"));
                        found.extend(metrics.map(str::to_owned));
                    }
                    _ => queried(value, found),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|it| queried(it, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_dashboard_asks_for_metrics_that_there_are() {
    let dashboard = serde_json::from_str(&deployed("grafana/sancho.json")).unwrap();
    let mut asked = BTreeSet::new();
    queried(&dashboard, &mut asked);
    assert!(asked.len() > 20, "{asked:?}");
    let site = Site::new();
    let mut worker = Worker::start(site.worker(["--health", "127.0.0.1:0"]));
    let address = address(&mut worker).await;
    let known = names(&get(address, "/metrics").await.1);
    let unknown: Vec<_> = asked.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?} of {known:?}");
    worker.line("sancho serves").await;
    worker.stop().await;
}
