use sancho::job;

struct Pool;

#[job]
async fn report(_db: &Pool) {}

fn main() {}
