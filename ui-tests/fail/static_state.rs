use sancho::job;

#[job]
async fn report(#[state] _ids: &'static Vec<i64>) {}

fn main() {}
