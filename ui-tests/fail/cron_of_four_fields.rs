use sancho::job;

#[job(cron = "0 3 * *")]
async fn clean_up() {}

fn main() {
    let _ = clean_up::perform_async();
}
