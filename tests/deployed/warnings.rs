use std::io;
use std::sync::{Arc, Mutex};

use sancho::{Client, Config};
use sancho_tests::RedisServer;
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

/// What was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// All that is logged while a client connects to a URL.
async fn logged(url: &str) -> String {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::TRACE)
        .with_writer(lines.clone())
        .with_ansi(false)
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let client = Client::connect(Config::new().store(url)).await.unwrap();
    assert!(!format!("{client:?}{:?}", client.store()).contains("s3cret"));
    drop(guard);
    String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
}

const EVICTS: &str = "set maxmemory-policy to noeviction, not allkeys-lru";
const KEEPS_NOTHING: &str = "keeps nothing on disk";

#[tokio::test]
async fn a_server_that_would_lose_jobs_is_warned_of() {
    for (arguments, evicts, keeps_nothing) in [
        (
            &["--maxmemory-policy", "allkeys-lru", "--appendonly", "yes"][..],
            true,
            false,
        ),
        (&[], false, true),
        (&["--save", "900", "1"], false, false),
        (&["--rename-command", "CONFIG", ""], false, false),
    ] {
        let server = RedisServer::start(arguments);
        let lines = logged(&server.url()).await;
        assert_eq!(lines.contains(EVICTS), evicts, "{arguments:?}: {lines}");
        assert_eq!(
            lines.contains(KEEPS_NOTHING),
            keeps_nothing,
            "{arguments:?}: {lines}"
        );
    }
}

#[tokio::test]
async fn no_password_reaches_the_log() {
    let server = RedisServer::start(&["--requirepass", "s3cret"]);
    let url = format!(
        "redis://default:s3cret@127.0.0.1:{}/1?timeout=1s",
        server.port()
    );
    let lines = logged(&url).await;
    assert!(
        lines.contains("redis://***@127.0.0.1") && !lines.contains("s3cret"),
        "{lines}"
    );
}
