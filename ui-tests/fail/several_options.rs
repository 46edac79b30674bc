use sancho::job;

#[job(queue = "", retries = 3, timeout = "soon")]
async fn report(_id: i64) {}

fn main() {}
