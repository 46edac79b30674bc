use sancho::job;

#[job]
struct Report;

fn main() {}
