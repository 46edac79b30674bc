use sancho::job;

#[job(cron = "@dayly")]
async fn clean_up() {}

fn main() {
    let _ = clean_up::perform_async();
}
