use std::fs;

use sancho_tests::RedisServer;
use tokio::time::timeout;

use crate::site::{PATIENCE, Site, ask, refusal, said};

/// A Sentinel of its own mind, which takes a master for dead after half a second.
fn sentinel(master: &RedisServer) -> RedisServer {
    RedisServer::start_with(|port, dir| {
        let config = dir.join("sentinel.conf");
        let lines = [
            format!("port {port}"),
            "bind 127.0.0.1".to_owned(),
            format!("dir {}", dir.display()),
            format!("sentinel monitor jobs 127.0.0.1 {} 1", master.port()),
            "sentinel auth-pass jobs s3cret".to_owned(),
            "sentinel down-after-milliseconds jobs 500".to_owned(),
            "sentinel failover-timeout jobs 5000".to_owned(),
        ];
        fs::write(&config, lines.join("\n")).unwrap();
        vec![config.to_str().unwrap().to_owned(), "--sentinel".to_owned()]
    })
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let asked = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, asked)
        .await
        .unwrap_or_else(|_| panic!("it never came about that {what}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_pushed_after_a_failover_run_on_the_new_master() {
    let login = ["--requirepass", "s3cret", "--masterauth", "s3cret"];
    let master = RedisServer::start(&login);
    let of = format!("127.0.0.1 {}", master.port());
    let replica = RedisServer::start(
        &[
            &login[..],
            &["--replicaof", &of, "--repl-diskless-sync-delay", "0"],
        ]
        .concat(),
    );
    let password = ["-a", "s3cret", "--no-auth-warning"];
    let info =
        |server: &RedisServer| ask(server, &[&password[..], &["INFO", "replication"]].concat());
    until("the replica follows", || {
        info(&replica).contains("master_link_status:up")
    })
    .await;
    let sentinel = sentinel(&master);
    until("the Sentinel knows the replica", || {
        ask(&sentinel, &["SENTINEL", "REPLICAS", "jobs"]).contains(&replica.port().to_string())
    })
    .await;

    let base = format!(
        "redis-sentinel://:s3cret@127.0.0.1:{}/1?sentinelServiceName",
        sentinel.port()
    );
    let mut site = Site::at(&format!("{base}=jobs")).await;
    site.works().await;
    until("the replica has all", || {
        ask(&master, &[&password[..], &["WAIT", "1", "100"]].concat()) == "1\n"
    })
    .await;
    drop(master);
    until("the replica is the master", || {
        info(&replica).contains("role:master")
    })
    .await;
    // What is pushed before the client has found it is tried again by whoever pushes.
    let client = site.client.clone();
    let pushed = async {
        while said::set()
            .client(&client)
            .perform_async("after".into())
            .await
            .is_err()
        {}
    };
    timeout(PATIENCE, pushed)
        .await
        .expect("a push goes through");
    site.hears("after").await;
    site.stop().await;

    let text = refusal(&format!("{base}=others")).await;
    assert!(
        text.contains("know a master by the sentinelServiceName"),
        "{text}"
    );
}
