use sancho::job;

#[job]
async fn report<T: Send>(_item: T) {}

fn main() {}
