use sancho::job;

#[job]
async fn report(#[state] _count: &std::cell::Cell<u8>) {}

fn main() {}
