//! Notifications, as an Active Job with `retry_on` and `discard_on` would send them.
//!
//! `cargo run --example notification`; with `SANCHO_STORE` it uses that store instead of memory.

use std::time::Duration;

use sancho::api::Api;
use sancho::engine::Death;
use sancho::runtime::Server;
use sancho::{Client, Config, job};

#[derive(Debug, thiserror::Error)]
pub(crate) enum NotifyError {
    #[error("the gateway took too long to answer")]
    OpenTimeout,
    #[error("there is no user {0}")]
    RecordNotFound(u64),
}

/// Notifies a user. A gateway that is slow is asked three times in all; a user who is gone needs no notification.
#[job(
    retry_on(NotifyError::OpenTimeout, wait = "5s", attempts = 3),
    discard_on(NotifyError::RecordNotFound(_))
)]
async fn notification(user_id: u64, message: String) -> Result<(), NotifyError> {
    match user_id {
        1 => {
            println!("to user 1: {message}");
            Ok(())
        }
        2 => Err(NotifyError::OpenTimeout),
        id => Err(NotifyError::RecordNotFound(id)),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = std::env::var("SANCHO_STORE").unwrap_or_else(|_| "memory:".to_owned());
    let client = Client::connect(Config::new().store(store)).await?;
    let notify = notification::set().client(&client);
    notify
        .perform_async(1, "Your order shipped!".into())
        .await?;
    let late = notify
        .perform_in(Duration::from_secs(600), 1, "Reminder".into())
        .await?;
    notify
        .perform_async(3, "Your order shipped!".into())
        .await?;
    let slow = notify
        .perform_async(2, "Your order shipped!".into())
        .await?;

    let api = Api::new(&client);
    let has_failed = async {
        while !matches!(api.retries().find(slow.as_str()).await, Ok(Some(_))) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // One at a time, so that the last one pushed is the last one run.
    let server = Server::builder().client(&client).concurrency(1);
    let server = server.death_handler(|death: &Death<'_>| {
        println!("discarded: {}", death.error_message());
    });
    server.build()?.run_until(has_failed).await?;

    if let Some(entry) = api.retries().find(slow.as_str()).await? {
        let attempts = entry.job().field("sancho_attempts").unwrap_or_default();
        let wait = entry.at().since(api.now()).as_secs();
        println!("tried again in {wait} s, after {attempts}");
    }
    if let Some(entry) = api.scheduled().find(late.as_str()).await? {
        println!(
            "a reminder is due in {} s",
            entry.at().since(api.now()).as_secs()
        );
    }
    Ok(())
}
