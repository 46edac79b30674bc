use sancho::job;

#[job(retries = 3)]
async fn report(_name: &str) {}

fn main() {}
