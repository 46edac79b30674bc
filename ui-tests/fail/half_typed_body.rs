use sancho::job;

#[job]
async fn report(id: i64) {
    let text = id.to_strin();
    drop(text);
}

fn main() {
    let _ = report::perform_async(1);
}
