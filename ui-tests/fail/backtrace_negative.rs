use sancho::job;

#[job(backtrace = -1)]
async fn report(_id: i64) {}

fn main() {
    let _ = report::perform_async(1);
}
