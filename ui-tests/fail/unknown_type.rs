use sancho::job;

#[job]
async fn report(_id: Missing) {}

fn main() {}
