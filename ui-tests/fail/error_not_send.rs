use sancho::job;

#[job]
async fn report(_id: i64) -> Result<(), Box<dyn std::error::Error>> {
    Ok(())
}

fn main() {}
