use sancho::job;

mod kit {}

#[job(crate = crate::kit)]
async fn report(_id: i64) {}

fn main() {}
