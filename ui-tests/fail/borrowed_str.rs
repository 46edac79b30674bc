use sancho::job;

#[job]
async fn report(_name: &str) {}

fn main() {}
