use sancho::job;

#[job]
async fn report(#[state] #[context] _cx: &sancho::Context) {}

fn main() {}
