use sancho::job;

#[job]
const LIMIT: u8 = 1;

fn main() {}
