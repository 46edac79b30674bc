//! Jobs with a time limit: one that would hang is given up after it, and a function that nothing can stop from outside sees that
//! its time is over. A third one is cancelled by hand: `cargo run --example long_running`.

use std::time::Duration;

use sancho::api::{Api, Cancelled};
use sancho::runtime::Server;
use sancho::{Client, Config, Context, job};
use tokio::runtime::Handle;

/// Is given up if it runs longer than 10 minutes.
#[job(timeout = "10m")]
async fn long_running_job(data_id: u64, #[context] cx: &Context) {
    println!("data {data_id} is being processed");
    // What might hang stands here.
    cx.cancelled().await;
    println!("data {data_id} is left off: {:?}", cx.cancel_reason());
}

/// The same with a limit that is reached at once.
#[job(timeout = "1s", retry = 0)]
async fn impatient_job(data_id: u64) {
    println!("data {data_id} hangs");
    std::future::pending::<()>().await;
}

/// Runs on a thread of its own, so it has to look by itself whether its time is over.
#[job(timeout = "1s", retry = 0)]
fn blocking_job(data_id: u64, #[context] cx: &Context) {
    println!("data {data_id} blocks");
    Handle::current().block_on(cx.cancelled());
    println!("data {data_id} stops: {:?}", cx.cancel_reason());
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = std::env::var("SANCHO_STORE").unwrap_or_else(|_| "memory:".into());
    let client = Client::connect(Config::new().store(store)).await?;
    let server = Server::builder().client(&client).build()?;
    let handle = server.handle();
    let serving = tokio::spawn(server.run());

    let jid = long_running_job::set()
        .client(&client)
        .perform_async(1)
        .await?;
    impatient_job::set()
        .client(&client)
        .perform_async(2)
        .await?;
    blocking_job::set().client(&client).perform_async(3).await?;

    let api = Api::new(&client);
    until(|| async { Ok(api.dead().size().await? == 2) }).await?;
    let mut dead = api.dead().each();
    while let Some(job) = dead.next().await? {
        println!(
            "{}: {}",
            job.class(),
            job.error_message().unwrap_or_default()
        );
    }
    assert_eq!(client.cancel(jid.as_str()).await?, Cancelled::Told);
    until(|| async { Ok(api.stats().await?.processed == 3) }).await?;
    println!("all have ended");
    handle.stop();
    Ok(serving.await??)
}

/// Waits until what is asked holds.
async fn until<F>(ask: impl Fn() -> F) -> Result<(), sancho::api::ApiError>
where
    F: Future<Output = Result<bool, sancho::api::ApiError>>,
{
    while !ask().await? {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
