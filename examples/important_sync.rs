//! A job that tells the team when it is given up: its exhaustion hook posts to an HTTP endpoint.
//!
//! `cargo run --example important_sync`; with `SANCHO_STORE` it uses that store instead of memory.

use axum::{Router, http::StatusCode, routing};
use sancho::runtime::Server;
use sancho::{Cause, Client, Config, Record, job};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Where the team reads its alerts: the address of an HTTP endpoint. State of the worker, as a connection pool would be.
struct Alerts(String);

#[derive(Debug, thiserror::Error)]
#[error("resource {0} cannot be read")]
pub(crate) struct SyncError(u64);

/// Called once the job has failed all its retries, before it goes to the dead set. An error of its own is logged.
async fn tell_the_team(
    job: &Record,
    cause: &Cause<SyncError>,
    alerts: &Alerts,
) -> std::io::Result<()> {
    let (class, args) = (job.class(), String::from_utf8_lossy(job.args()));
    let text = format!("Job {class} with args {args} failed permanently: {cause}");
    post(&alerts.0, &text).await
}

/// Synchronizes a resource. It needs no state itself; its hook is given the worker's.
#[job(retry = 5, retries_exhausted(tell_the_team, &Alerts))]
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

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (told, mut alerts) = mpsc::unbounded_channel();
    let take_alert = async move |text: String| match told.send(text) {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::GONE,
    };
    let endpoint = Router::new().route("/alerts", routing::post(take_alert));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let alerts_at = Alerts(listener.local_addr()?.to_string());
    tokio::spawn(axum::serve(listener, endpoint).into_future());

    let store = std::env::var("SANCHO_STORE").unwrap_or_else(|_| "memory:".to_owned());
    let client = Client::connect(Config::new().store(store)).await?;
    // Five retries take minutes, so this one has none.
    let sync = important_sync::set().client(&client).retry(0);
    sync.perform_async(42).await?;

    let told = async {
        if let Some(text) = alerts.recv().await {
            println!("the team was told: {text}");
        }
    };
    let server = Server::builder().client(&client).state(alerts_at).build()?;
    server.run_until(told).await?;
    Ok(())
}
