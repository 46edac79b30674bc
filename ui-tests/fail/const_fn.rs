use sancho::job;

#[job]
const fn report(_id: i64) {}

fn main() {}
