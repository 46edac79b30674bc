use sancho::job;

#[job(queue = "low\u{7}")]
async fn report(_id: i64) {}

fn main() {
    let _ = report::perform_async(1);
}
