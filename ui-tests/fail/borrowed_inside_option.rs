use sancho::job;

#[job]
async fn report(_name: Option<&str>) {}

fn main() {}
