//! A report for later: in an hour, and at the beginning of tomorrow.
//!
//! `cargo run --example scheduled_report` shows what stands in the schedule, then does not wait for it: it runs what is there now.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveTime, Utc};
use sancho::api::Api;
use sancho::runtime::Server;
use sancho::store::TimedSet;
use sancho::{Client, Config, job};
use tokio::sync::mpsc;

type Written = mpsc::UnboundedSender<u64>;

/// Writes a report.
#[job(queue = "reports")]
async fn report(#[state] written: &Written, report_id: u64) -> Result<(), String> {
    println!("report {report_id} is written");
    written.send(report_id).map_err(|error| error.to_string())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = std::env::var("SANCHO_STORE").unwrap_or("memory:".into());
    let client = Client::connect(Config::new().store(store)).await?;

    // In an hour.
    report::set()
        .client(&client)
        .perform_in(Duration::from_secs(60 * 60), 1)
        .await?;
    // At the beginning of tomorrow.
    let tomorrow = (Utc::now().date_naive() + Days::new(1))
        .and_time(NaiveTime::MIN)
        .and_utc();
    report::set()
        .client(&client)
        .perform_at(tomorrow, 2)
        .await?;

    let schedule = Api::new(&client).set(TimedSet::Schedule);
    let mut entries = schedule.each();
    while let Some(entry) = entries.next().await? {
        let at = DateTime::<Utc>::from(entry.at());
        let id = entry.job().display_args().join(", ");
        println!("report {id} is due at {at}");
        let _ = schedule.add_to_queue(&entry).await?;
    }
    let (written, mut reports): (Written, _) = mpsc::unbounded_channel();
    let server = Server::builder()
        .client(&client)
        .queues(["reports"])
        .only::<report>()
        .state(written)
        .build()?;
    server
        .run_until(async {
            reports.recv().await;
            reports.recv().await;
        })
        .await?;
    Ok(())
}
