use sancho::job;

#[job]
async fn report(_id: i64)
where
    i64: Copy,
{
}

fn main() {}
