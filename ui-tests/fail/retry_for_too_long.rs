use sancho::job;

#[job(retry_for = "20000d")]
async fn report(_id: i64) {}

fn main() {
    let _ = report::perform_async(1);
}
