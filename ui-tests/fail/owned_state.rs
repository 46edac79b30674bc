use sancho::job;

#[job]
async fn report(#[state] _ids: Vec<i64>) {}

fn main() {}
