use sancho::job;

#[job]
async fn report(_id: i64) -> impl Sized {}

fn main() {}
