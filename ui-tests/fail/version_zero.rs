use sancho::job;

#[job(version = 0)]
async fn report(_id: u32) {}

fn main() {
    let _ = report::perform_async(1);
}
