use sancho::job;

#[job(tz = "Europe/Berlin")]
async fn clean_up() {}

fn main() {
    let _ = clean_up::perform_async();
}
