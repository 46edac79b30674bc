use sancho::job;

#[job(backtrace = "all")]
async fn report(_id: i64) {}

fn main() {
    let _ = report::perform_async(1);
}
