#![deny(unused_must_use)]

use sancho::job;

#[job]
async fn report(_id: i64) {}

fn main() {
    report::perform_async(1);
}
