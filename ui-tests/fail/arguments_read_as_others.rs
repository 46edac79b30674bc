use sancho::job;
use sancho::testing::TestJobs as _;

#[job]
async fn welcome_email(user_id: i64, name: String) {
    drop((user_id, name));
}

fn main() {
    let (_user_id,): (i64,) = welcome_email::jobs()[0].args();
}
