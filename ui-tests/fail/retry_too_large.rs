use sancho::job;

#[job(retry = 5_000_000_000)]
async fn report(_id: i64) {}

fn main() {
    let _ = report::perform_async(1);
}
