use sancho::job;

#[job(class = "")]
async fn report(_id: i64) {}

fn main() {
    let _ = report::perform_async(1);
}
