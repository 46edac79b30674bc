//! Jobs that are enqueued by themselves, in every form.

use sancho::{Context, job};

#[job(cron = "0 3 * * *", tz = "Europe/Berlin")]
async fn without_arguments() {}

#[job(cron = "*/20 0 22-2 1,15 jan-MARCH sun,Mon", queue = "low")]
async fn with_seconds(#[state] _name: &str, #[context] _cx: &Context) {}

#[job(cron = "@daily")]
async fn with_options(_days: Option<u8>, _folder: std::option::Option<String>) {}

#[job(tz = "UTC", cron = "0/15 */2 * * 5-7")]
fn blocking() {}

fn main() {
    drop(without_arguments::perform_async());
    drop(with_seconds::perform_async());
    drop(with_options::perform_async(Some(3), None));
    drop(blocking::perform_async());
}
