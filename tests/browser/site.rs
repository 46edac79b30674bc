//! A dashboard that is served, over a store.

use std::net::SocketAddr;
use std::sync::Arc;

use sancho::api::{Api, Stats};
use sancho::store::Store;
use sancho::{Client, Config};
use sancho_tests::RedisServer;
use sancho_web::Options;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::demo::Demo;

/// A store and its dashboard.
pub(crate) struct Site {
    pub(crate) api: Api,
    pub(crate) client: Client,
    pub(crate) url: String,
    serving: JoinHandle<()>,
    _backing: Backing,
}

enum Backing {
    Sqlite {
        _folder: TempDir,
    },
    Redis {
        _server: RedisServer,
    },
    /// Somebody else has it.
    None,
}

impl Site {
    /// On an SQLite file, with something of everything.
    pub(crate) async fn on_sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite:{}", folder.path().join("jobs.db").display());
        let site = Self::on(&url, Backing::Sqlite { _folder: folder }).await;
        Demo::small(site.store()).fill().await;
        site
    }

    /// On a Redis of its own, with something of everything.
    pub(crate) async fn on_redis() -> Self {
        let server = RedisServer::start(&[]);
        let site = Self::on(&server.url(), Backing::Redis { _server: server }).await;
        Demo::small(site.store()).fill().await;
        site
    }

    /// On a store as it is.
    pub(crate) async fn at(store: &str) -> Self {
        Self::on(store, Backing::None).await
    }

    async fn on(store: &str, backing: Backing) -> Self {
        let client = Client::connect(Config::new().store(store)).await.unwrap();
        let mut site = Self::over(&client, Api::new(&client), Options::new()).await;
        site._backing = backing;
        site
    }

    /// Over a client that is connected.
    pub(crate) async fn over(client: &Client, api: Api, options: Options) -> Self {
        let router = sancho_web::router_with(api.clone(), options);
        let router = router.into_make_service_with_connect_info::<SocketAddr>();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = async move { axum::serve(listener, router).await.unwrap() };
        Self {
            api,
            client: client.clone(),
            url,
            serving: tokio::spawn(serving),
            _backing: Backing::None,
        }
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        self.client.store()
    }

    /// The URL of a page.
    pub(crate) fn page(&self, path: &str) -> String {
        format!("{}/{path}", self.url)
    }

    pub(crate) async fn stats(&self) -> Stats {
        self.api.stats().await.unwrap()
    }

    /// How many jobs wait, are scheduled, are retried, are dead.
    pub(crate) async fn sizes(&self) -> [u64; 4] {
        let stats = self.stats().await;
        [stats.enqueued, stats.scheduled, stats.retries, stats.dead]
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
