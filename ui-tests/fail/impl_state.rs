use sancho::job;

#[job]
async fn report(#[state] _mailer: &impl Sized) {}

fn main() {}
