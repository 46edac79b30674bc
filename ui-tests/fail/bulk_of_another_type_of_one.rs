use sancho::job;

#[job]
async fn report(_id: i64) {}

fn main() {
    let _ = report::perform_bulk(["x"]);
}
