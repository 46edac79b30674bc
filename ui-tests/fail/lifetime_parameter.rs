use sancho::job;

#[job]
async fn report<'a>(#[state] _db: &'a String) {}

fn main() {}
