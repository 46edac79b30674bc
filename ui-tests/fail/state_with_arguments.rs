use sancho::job;

#[job]
async fn report(#[state(pool)] _ids: &Vec<i64>) {}

fn main() {}
