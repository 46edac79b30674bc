use sancho::job;

pub struct User;

#[job]
async fn report(_user: User) {}

fn main() {}
