use sancho::job;

#[job]
async fn report(#[context] _cx: sancho::Context) {}

fn main() {}
