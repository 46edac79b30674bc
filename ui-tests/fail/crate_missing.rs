use sancho::job;

#[job(crate = nowhere::kit)]
async fn report(_id: i64) {}

fn main() {}
