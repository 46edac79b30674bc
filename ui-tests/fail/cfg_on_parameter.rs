use sancho::job;

#[job]
async fn report(#[cfg(unix)] _id: i64) {}

fn main() {}
