//! The worker that these tests run, as a user would write it.

use sancho::{Context, job, runtime};

/// Says what it is told, on standard output.
#[job]
pub async fn says(text: String) {
    println!("{text}");
}

/// Fails.
#[job(retry = false, dead = false)]
async fn fails() -> Result<(), String> {
    Err("the mill is a giant".into())
}

/// Runs until it is given up.
#[job]
pub async fn holds(#[context] cx: &Context) {
    println!("holding");
    cx.cancelled().await;
    std::future::pending::<()>().await;
}

#[tokio::main]
async fn main() -> sancho::Result<()> {
    runtime::serve().await
}
