use sancho::job;

fn wait_for(_: u32, _: &String) -> sancho::RetryIn {
    sancho::RetryIn::Kill
}

#[job(retry_in = wait_for)]
async fn report(_id: u32) -> () {}

fn main() {
    let _ = report::perform_async(1);
}
