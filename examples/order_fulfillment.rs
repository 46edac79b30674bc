//! An idempotent job: an order that is pushed several times is fulfilled once, also where its runs meet.
//!
//!     cargo run --example order_fulfillment

use std::collections::HashMap;
use std::error::Error;
use std::time::SystemTime;

use sancho::runtime::Server;
use sancho::{Client, Config, job};
use tokio::sync::{Mutex, Semaphore};

/// An order, as a row of a table that can be locked.
#[derive(Default)]
struct Order {
    fulfilled_at: Option<SystemTime>,
    shipments: u32,
}

/// What a database would be.
struct Shop {
    orders: HashMap<i64, Mutex<Order>>,
    runs: Semaphore,
}

#[job(queue = "orders")]
async fn fulfill_order(order_id: i64, #[state] shop: &Shop) -> Result<(), String> {
    let order = shop.orders.get(&order_id);
    let order = order.ok_or_else(|| format!("there is no order {order_id}"))?;
    // The lock comes first: between a look and a lock, another run may fulfill the order.
    let mut order = order.lock().await;
    if order.fulfilled_at.is_none() {
        ship(&mut order).await;
        order.fulfilled_at = Some(SystemTime::now());
        println!("order {order_id} is fulfilled");
    } else {
        println!("order {order_id} was fulfilled already");
    }
    shop.runs.add_permits(1);
    Ok(())
}

async fn ship(order: &mut Order) {
    // Somebody else runs here, and waits for the lock.
    tokio::task::yield_now().await;
    order.shipments += 1;
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = std::env::var("SANCHO_STORE").unwrap_or_else(|_| "memory:".into());
    let client = Client::connect(Config::new().store(store)).await?;
    let shop = std::sync::Arc::new(Shop {
        orders: (1..=3).map(|id| (id, Mutex::default())).collect(),
        runs: Semaphore::new(0),
    });
    let set = fulfill_order::set().client(&client);
    set.perform_bulk([1, 2, 3, 1, 2, 3, 1, 2, 3]).await?;

    let server = Server::builder()
        .client(&client)
        .queues(["orders"])
        .state_arc(shop.clone());
    let all_ran = async {
        // Nobody closes it.
        _ = shop.runs.acquire_many(9).await;
    };
    server.build()?.run_until(all_ran).await?;
    for (id, order) in &shop.orders {
        assert_eq!(order.lock().await.shipments, 1, "order {id}");
    }
    println!("9 runs, 3 shipments");
    Ok(())
}
