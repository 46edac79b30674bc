use sancho::job;

#[job(cron = "every day at five")]
async fn clean_up() {}

fn main() {
    let _ = clean_up::perform_async();
}
