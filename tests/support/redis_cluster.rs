//! A private Redis Cluster.

use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::RedisServer;

/// How long nodes may take to agree. Far longer than they take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Three nodes on free loopback ports, each with a third of the slots. Stopped when dropped.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts a Cluster.
    ///
    /// # Panics
    /// Panics where `redis-server` and `redis-cli` cannot be run, or the nodes do not come to agree.
    #[must_use]
    pub fn start() -> Self {
        let arguments = ["--cluster-enabled", "yes", "--cluster-node-timeout", "5000"];
        let nodes: Vec<_> = (0..3).map(|_| RedisServer::start(&arguments)).collect();
        let cluster = Self { nodes };
        let addresses = cluster
            .nodes
            .iter()
            .map(|it| format!("127.0.0.1:{}", it.port()));
        let mut create = vec!["--cluster".to_owned(), "create".to_owned()];
        create.extend(addresses);
        create.push("--cluster-yes".to_owned());
        let made = cli(&create);
        let began = Instant::now();
        let agrees = |node: &RedisServer| {
            let port = node.port().to_string();
            let info = cli(&["-p", &port, "cluster", "info"].map(str::to_owned));
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
        };
        while !cluster.nodes.iter().all(agrees) {
            assert!(began.elapsed() < PATIENCE, "the nodes do not agree: {made}");
            thread::yield_now();
        }
        cluster
    }

    /// The Cluster that all tests of this binary share; each uses a prefix with a hash tag of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<RedisCluster> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// The URL of one node, without a prefix.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis-cluster://127.0.0.1:{}", self.nodes[0].port())
    }

    /// The nodes.
    #[must_use]
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }
}

fn cli(arguments: &[String]) -> String {
    let output = Command::new("redis-cli")
        .args(arguments)
        .output()
        .expect("redis-cli is installed (Debian: apt-get install redis-tools)");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
