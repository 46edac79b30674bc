use sancho::job;

#[job]
async fn report(id: i64);

fn main() {}
