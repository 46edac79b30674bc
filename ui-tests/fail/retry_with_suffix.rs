use sancho::job;

#[job(retry = 5u8)]
async fn report(_id: i64) {}

fn main() {
    let _ = report::perform_async(1);
}
