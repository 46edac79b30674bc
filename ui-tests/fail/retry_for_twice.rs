use sancho::job;

#[job(retry_for = "1h", retry_for = "2h")]
async fn report(_id: i64) {}

fn main() {
    let _ = report::perform_async(1);
}
