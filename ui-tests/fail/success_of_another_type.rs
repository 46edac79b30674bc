use sancho::job;

#[job]
async fn report(_id: i64) -> Result<u32, std::io::Error> {
    Ok(1)
}

fn main() {}
