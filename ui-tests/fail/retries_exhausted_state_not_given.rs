use sancho::job;

#[derive(Debug)]
enum MailError {
    Timeout,
    Limited(u32),
}

impl std::fmt::Display for MailError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for MailError {}

struct Mailer;

async fn tell(_: &sancho::Record, _: &sancho::Cause<MailError>, _: &Mailer) {}

#[job(retries_exhausted = tell)]
async fn report(id: u32) -> Result<(), MailError> {
    Err(if id == 0 { MailError::Timeout } else { MailError::Limited(id) })
}

fn main() {
    let _ = report::perform_async(1);
}
