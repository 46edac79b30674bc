use sancho::job;

#[job(version = 2, from())]
async fn report(_id: u32) {}

fn main() {
    let _ = report::perform_async(1);
}
