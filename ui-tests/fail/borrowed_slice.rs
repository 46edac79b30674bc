use sancho::job;

#[job]
async fn report(_ids: &[i64]) {}

fn main() {}
