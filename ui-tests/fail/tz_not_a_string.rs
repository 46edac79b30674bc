use sancho::job;

#[job(cron = "@daily", tz = 1)]
async fn clean_up() {}

fn main() {
    let _ = clean_up::perform_async();
}
