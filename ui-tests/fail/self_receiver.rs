use sancho::job;

struct Mailer;

impl Mailer {
    #[job]
    async fn report(&self, _id: i64) {}
}

fn main() {}
