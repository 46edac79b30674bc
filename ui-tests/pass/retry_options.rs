//! The options of retries, in every form.

use std::time::Duration;

use sancho::job;

#[job(retry = 5, retry_for = "2d", retry_queue = "slow", dead = false, backtrace = 20)]
async fn with_numbers(_id: i64) {}

#[job(retry = true, retry_for = 600, dead = true, backtrace = true)]
async fn with_seconds(_id: i64) {}

#[job(retry = false, retry_for = 1_000_000_000, backtrace = false)]
async fn with_the_longest(_id: i64) {}

fn main() {
    let set = with_numbers::set()
        .retry_for(Duration::from_secs(60))
        .retry_queue("slower")
        .dead(true)
        .backtrace(5)
        .backtrace(true);
    drop(set.perform_async(1));
    drop(with_seconds::perform_async(1));
    drop(with_the_longest::perform_async(1));
}
