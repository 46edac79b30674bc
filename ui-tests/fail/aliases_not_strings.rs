use sancho::job;

#[job(aliases = ["Old", 1])]
async fn report(_id: i64) {}

fn main() {
    let _ = report::perform_async(1);
}
