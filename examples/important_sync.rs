//! A job that tells the team when it is given up: its exhaustion hook posts to an HTTP endpoint.
//!
//! `cargo run --example important_sync`; with `SANCHO_STORE` it uses that store instead of memory.

use std::sync::OnceLock;

use sancho::runtime::Server;
use sancho::{Cause, Client, Config, Record, job};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Where the team reads its alerts.
static ALERTS: OnceLock<String> = OnceLock::new();

#[derive(Debug, thiserror::Error)]
#[error("resource {0} cannot be read")]
pub(crate) struct SyncError(u64);

/// Called once the job has failed all its retries, before it goes to the dead set. An error of its own is logged.
async fn tell_the_team(job: &Record, cause: &Cause<SyncError>) -> std::io::Result<()> {
    let args = String::from_utf8_lossy(job.args());
    let text = format!(
        "Job {} with args {args} failed permanently: {cause}",
        job.class()
    );
    post(ALERTS.get().expect("main sets it"), &text).await
}

/// Synchronizes a resource.
#[job(retry = 5, retries_exhausted = tell_the_team)]
async fn important_sync(resource_id: u64) -> Result<(), SyncError> {
    Err(SyncError(resource_id))
}

/// Posts a text, as an HTTP client would.
async fn post(address: &str, text: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let length = text.len();
    let request = format!(
        "POST /alerts HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    match answer.starts_with("HTTP/1.1 204") {
        true => Ok(()),
        false => Err(std::io::Error::other(answer)),
    }
}

/// An endpoint that takes one alert.
async fn take_alert(listener: TcpListener) -> std::io::Result<String> {
    let (mut stream, _) = listener.accept().await?;
    let mut request = String::new();
    loop {
        let mut bytes = [0; 1024];
        let count = stream.read(&mut bytes).await?;
        request.push_str(&String::from_utf8_lossy(&bytes[..count]));
        let (head, body) = request.split_once("\r\n\r\n").unwrap_or_default();
        if head.contains(&format!("content-length: {}\r\n", body.len())) {
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
            return Ok(body.to_owned());
        }
        if count == 0 {
            return Err(std::io::Error::other("half a request"));
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    ALERTS.get_or_init(|| {
        listener
            .local_addr()
            .map(|at| at.to_string())
            .unwrap_or_default()
    });
    let store = std::env::var("SANCHO_STORE").unwrap_or_else(|_| "memory:".to_owned());
    let client = Client::connect(Config::new().store(store)).await?;
    // Five retries take minutes, so this one has none.
    important_sync::set()
        .client(&client)
        .retry(0)
        .perform_async(42)
        .await?;

    let told = async { println!("the team was told: {:?}", take_alert(listener).await) };
    Server::builder()
        .client(&client)
        .build()?
        .run_until(told)
        .await?;
    Ok(())
}
