use sancho::job;

#[derive(Debug)]
struct Oops;

#[job]
async fn report(_id: i64) -> Result<(), Oops> {
    Err(Oops)
}

fn main() {}
