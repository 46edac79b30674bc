use sancho::job;

#[job(cron = "@daily", cron = "@hourly")]
async fn clean_up() {}

fn main() {
    let _ = clean_up::perform_async();
}
