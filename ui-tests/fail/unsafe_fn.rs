use sancho::job;

#[job]
async unsafe fn report(_id: i64) {}

fn main() {}
