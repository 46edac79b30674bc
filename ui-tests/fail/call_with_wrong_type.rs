use sancho::job;

#[job]
async fn welcome_email(user_id: i64, name: String) {
    drop((user_id, name));
}

fn main() {
    let _ = welcome_email::perform_async("x", String::new());
}
