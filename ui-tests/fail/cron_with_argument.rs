use sancho::job;

#[job(cron = "@daily")]
async fn clean_up(_folder: String, _days: Option<u8>) {}

fn main() {
    let _ = clean_up::perform_async(String::new(), None);
}
