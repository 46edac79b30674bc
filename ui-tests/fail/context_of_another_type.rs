use sancho::job;

#[job]
async fn report(#[context] _cx: &String) {}

fn main() {}
