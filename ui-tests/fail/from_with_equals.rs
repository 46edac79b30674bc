use sancho::job;

#[derive(serde::Deserialize)]
struct ReportV1(String);

impl From<ReportV1> for (u32,) {
    fn from(ReportV1(id): ReportV1) -> Self {
        (id.parse().unwrap_or_default(),)
    }
}

#[job(version = 2, from = ReportV1)]
async fn report(_id: u32) {}

fn main() {
    let _ = report::perform_async(1);
}
