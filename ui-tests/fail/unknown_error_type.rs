use sancho::job;

#[job]
async fn report(_id: i64) -> Result<(), Missing> {
    Ok(())
}

fn main() {}
