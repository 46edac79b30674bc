use sancho::job;
use sancho::testing::refute_enqueued;

#[job]
async fn welcome_email(user_id: i64) {
    let _ = user_id;
}

fn main() {
    refute_enqueued!(welcome_email(42), queue = "mailers", after = "1h");
}
