use sancho::job;

#[job(dead = false, dead = false)]
async fn report(_id: i64) {}

fn main() {
    let _ = report::perform_async(1);
}
