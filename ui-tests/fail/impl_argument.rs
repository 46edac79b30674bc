use sancho::job;

#[job]
async fn report(_name: impl Into<String>) {}

fn main() {}
