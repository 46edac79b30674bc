//! Payments with typed errors: each error of the gateway says when its payment is tried again.
//!
//! `cargo run --example payments`; with `SANCHO_STORE` it uses that store instead of memory.

use std::time::Duration;

use sancho::api::Api;
use sancho::runtime::Server;
use sancho::{Client, Config, RetryIn, job};

#[derive(Debug, thiserror::Error)]
pub(crate) enum PaymentError {
    #[error("the gateway wants fewer requests")]
    RateLimit,
    #[error("the gateway does not answer")]
    Temporary,
    #[error("the payment failed: {0}")]
    Failed(&'static str),
}

/// Called after each failure, with 0 after the first one.
fn wait_for(count: u32, error: &PaymentError) -> RetryIn {
    let count = u64::from(count);
    match error {
        // Longer for rate limits: 5 minutes, 20 minutes, ... At first it is zero, which means the usual 15 seconds.
        PaymentError::RateLimit => RetryIn::After(Duration::from_secs(count.pow(2) * 60 * 5)),
        PaymentError::Temporary => RetryIn::After(Duration::from_secs(count.pow(4) + 15)),
        PaymentError::Failed(_) => RetryIn::Default,
    }
}

/// Charges for an order.
#[job(queue = "critical", retry = 10, dead = true, retry_in = wait_for)]
async fn payment_processing(order_id: u64, payment_method: String) -> Result<(), PaymentError> {
    match payment_method.as_str() {
        "busy" => Err(PaymentError::RateLimit),
        "down" => Err(PaymentError::Temporary),
        "expired" => Err(PaymentError::Failed("the card has expired")),
        _ => {
            println!("order {order_id} is paid");
            Ok(())
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = std::env::var("SANCHO_STORE").unwrap_or_else(|_| "memory:".to_owned());
    let client = Client::connect(Config::new().store(store)).await?;
    let payment = payment_processing::set().client(&client);
    payment.perform_async(1, "card".into()).await?;
    let mut failing = Vec::new();
    for (order, method) in [(2, "busy"), (3, "down"), (4, "expired")] {
        failing.push(payment.perform_async(order, method.into()).await?);
    }

    let api = Api::new(&client);
    let all_have_failed = async {
        for jid in &failing {
            while !matches!(api.retries().find(jid.as_str()).await, Ok(Some(_))) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    let server = Server::builder().client(&client).queues(["critical"]);
    server.build()?.run_until(all_have_failed).await?;

    for jid in &failing {
        if let Some(entry) = api.retries().find(jid.as_str()).await? {
            let wait = entry.at().since(api.now()).as_secs();
            let error = entry.job().error_message().unwrap_or_default();
            println!("{error}: tried again in {wait} s");
        }
    }
    Ok(())
}
