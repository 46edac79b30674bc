use sancho::job;

#[job(backtrace = 1, backtrace = true)]
async fn report(_id: i64) {}

fn main() {
    let _ = report::perform_async(1);
}
