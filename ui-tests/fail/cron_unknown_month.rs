use sancho::job;

#[job(cron = "0 0 1 janu *")]
async fn clean_up() {}

fn main() {
    let _ = clean_up::perform_async();
}
