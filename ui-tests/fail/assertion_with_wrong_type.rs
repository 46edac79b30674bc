use sancho::job;
use sancho::testing::assert_enqueued;

#[job]
async fn welcome_email(user_id: i64, name: String) {
    drop((user_id, name));
}

fn main() {
    assert_enqueued!(welcome_email("x", String::new()), queue = "mailers");
}
