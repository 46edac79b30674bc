use sancho::job;

#[job]
async fn report(_id: i64) -> ! {
    panic!()
}

fn main() {}
