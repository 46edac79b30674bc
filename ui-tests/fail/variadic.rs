use sancho::job;

#[job]
async fn report(_id: i64, _rest: ...) {}

fn main() {}
