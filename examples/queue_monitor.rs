//! A job that looks at the depth of every queue, and sounds the alarm above a threshold.
//!
//!     cargo run --example queue_monitor

use std::error::Error;

use sancho::api::{Api, ApiError};
use sancho::runtime::Server;
use sancho::{Client, Config, job};
use tokio::sync::mpsc;

/// From how many waiting jobs on somebody should look.
const THRESHOLDS: [(&str, u64); 3] = [("critical", 100), ("default", 1_000), ("low", 5_000)];

const DEFAULT_THRESHOLD: u64 = 1_000;

/// Whom it is told to.
struct Alerts(mpsc::UnboundedSender<String>);

impl Alerts {
    fn trigger(&self, message: String) {
        // Nobody may be listening any more.
        _ = self.0.send(message);
    }
}

/// Give it `cron = "* * * * *"` to have it look every minute.
#[job(queue = "monitoring", retry = false)]
async fn queue_monitor(#[state] api: &Api, #[state] alerts: &Alerts) -> Result<(), ApiError> {
    for queue in api.queues().await? {
        let known = THRESHOLDS.iter().find(|(name, _)| *name == queue.name);
        let threshold = known.map_or(DEFAULT_THRESHOLD, |(_, threshold)| *threshold);
        if queue.size > threshold {
            let (name, size) = (queue.name, queue.size);
            alerts.trigger(format!(
                "queue {name:?} has {size} jobs (threshold: {threshold})"
            ));
        }
    }
    alerts.trigger("all queues were looked at".into());
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = std::env::var("SANCHO_STORE").unwrap_or_else(|_| "memory:".into());
    let client = Client::connect(Config::new().store(store)).await?;
    // Work that nobody does: it is of a class that this program does not know.
    for (queue, jobs) in [("critical", 150), ("default", 150), ("mailers", 1_001)] {
        let hard = client.job("HardJob").queue(queue);
        hard.perform_bulk((0..jobs).map(|n| (n,))).await?;
    }
    queue_monitor::set().client(&client).perform_async().await?;

    let (alerts, mut told) = mpsc::unbounded_channel();
    let server = Server::builder()
        .client(&client)
        .queues(["monitoring"])
        .state(Api::new(&client))
        .state(Alerts(alerts));
    let looked = async {
        while let Some(message) = told.recv().await {
            println!("{message}");
            if message.starts_with("all queues") {
                break;
            }
        }
    };
    server.build()?.run_until(looked).await?;
    Ok(())
}
