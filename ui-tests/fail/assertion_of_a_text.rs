use sancho::testing::assert_enqueued;

fn main() {
    assert_enqueued!("WelcomeEmail", 42);
}
