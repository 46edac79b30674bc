use sancho::job;

#[job]
unsafe extern "C" fn report(_id: i64, _rest: ...) {}

fn main() {}
