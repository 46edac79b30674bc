use sancho::job;

#[job]
async fn report(_id: i64) -> u32 {
    1
}

fn main() {}
