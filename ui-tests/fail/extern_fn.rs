use sancho::job;

#[job]
extern "C" fn report(_id: i64) {}

fn main() {}
