use sancho::job;

#[job]
async fn report(_name: &'static str) {}

fn main() {}
