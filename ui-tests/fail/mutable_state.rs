use sancho::job;

#[job]
async fn report(#[state] _ids: &mut Vec<i64>) {}

fn main() {}
