//! Jobs that a `macro_rules` macro writes.
#![deny(warnings)]

use sancho::job;

struct Pool(u8);

macro_rules! jobs {
    ($($name:ident($value:ident: $ty:ty, $state:ty), $queue:literal, $retry:expr;)*) => {$(
        #[job(queue = $queue, retry = $retry)]
        async fn $name($value: $ty, #[state] db: $state, other: Option<$ty>) {
            drop(($value, other));
            let _ = db;
        }
    )*};
}

jobs! {
    one(at: Vec<u8>, &Pool), "low", 3;
    two(text: String, &Pool), "high", false;
}

fn main() {
    drop(one::perform_async(vec![Pool(1).0], None));
    drop(two::perform_bulk([(String::new(), None)]));
    let mut queues: Vec<_> = sancho::__private::JOBS
        .iter()
        .map(|job| job.queue)
        .collect();
    queues.sort_unstable();
    assert_eq!(queues, ["high", "low"]);
}
