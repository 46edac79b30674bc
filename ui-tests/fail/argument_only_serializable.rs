use sancho::job;

#[derive(serde::Serialize)]
pub struct User;

#[job]
async fn report(_id: i64, _user: User) {}

fn main() {}
