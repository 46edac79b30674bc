use sancho::job;

#[job(discard_on(_))]
async fn report(_id: u32) {}

fn main() {
    let _ = report::perform_async(1);
}
