use sancho::job;

#[job(retries = 5)]
async fn report(_id: i64) {}

fn main() {
    let _ = report::perform_async(1);
}
