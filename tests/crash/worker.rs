//! The process that crash tests kill: a worker, or a pusher, set by environment variables.

#[path = "worker/jobs.rs"]
mod jobs;
#[path = "worker/kill.rs"]
mod kill;
#[path = "worker/log.rs"]
mod log;
#[path = "worker/proxy.rs"]
mod proxy;

use std::env;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use sancho::Client;
use sancho::engine::Point;
use sancho::runtime::Server;
use sancho::store::Store;
use sancho::store::redis::{RedisOptions, RedisStore};
use sancho::store::sqlite::{SqliteOptions, SqliteStore};

use tokio::runtime::Handle;

use jobs::{BULK, fast};
use kill::Kill;
use log::Log;

#[tokio::main]
async fn main() -> sancho::Result<()> {
    end_with_the_test();
    let kill = Arc::new(Kill::from_environment(Log::open()));
    let mut server = Server::builder();
    if kill.is_set() {
        let client = sancho::testing::client(store(&kill).await);
        if let Some(first) = number("CRASH_PUSH") {
            push(&client, &kill, first).await;
        }
        server = server.client(&client);
    } else {
        // A supervisor would start it again.
        if env::var("CRASH_PATIENT").is_ok() && !url().starts_with("sqlite:") {
            connected(&url()).await;
        }
        server = server.store(url());
    }
    let points = kill.clone();
    server = server.state_arc(kill).with_points(move |point| {
        if point == Point::Heartbeat {
            let tasks = Handle::current().metrics().num_alive_tasks();
            points.log.write(&format!("beat {tasks}"));
        }
        points.reach(&format!("{point:?}"));
    });
    if let Some(lease) = number("CRASH_LEASE_MS") {
        server = server.lease(Duration::from_millis(lease));
    }
    server.serve().await
}

/// Standard input ends with the test, however that ends.
fn end_with_the_test() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(9);
    });
}

fn url() -> String {
    env::var("CRASH_STORE").expect("CRASH_STORE names the store")
}

async fn store(kill: &Arc<Kill>) -> Arc<dyn Store> {
    let url = url();
    match url.strip_prefix("sqlite:") {
        Some(path) => {
            let kill = kill.clone();
            let options = SqliteOptions::default().with_before_commit(move || kill.amid_commit());
            Arc::new(SqliteStore::open(path, options).expect("the file can be opened"))
        }
        None => {
            let url = if kill.needs_proxy() {
                proxy::start(&url, kill.clone())
            } else {
                url
            };
            Arc::new(connected(&url).await)
        }
    }
}

/// Connects to a Redis. On a machine that is busy enough it answers late.
async fn connected(url: &str) -> RedisStore {
    for _ in 0..20 {
        match RedisStore::connect(RedisOptions::new(url)).await {
            Ok(store) => return store,
            Err(error) => eprintln!("{error}"),
        }
    }
    panic!("the server is not there");
}

/// Pushes bulks until it is killed.
async fn push(client: &Client, kill: &Kill, first: u64) -> ! {
    let mut first = first;
    loop {
        kill.log.write(&format!("push {first}"));
        kill.reach("BulkPush");
        let jobs = fast::set().client(client).perform_bulk(first..first + BULK);
        if jobs.await.is_ok() {
            kill.log.write(&format!("acknowledged {first}"));
        }
        first += BULK;
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
    )
}
