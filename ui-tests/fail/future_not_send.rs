use sancho::job;

#[job]
async fn report(id: i64) {
    let shared = std::rc::Rc::new(id);
    tokio::task::yield_now().await;
    drop(shared);
}

fn main() {}
