use sancho::job;

#[derive(serde::Deserialize)]
struct ReportV1(String);

#[job(version = 2, from(ReportV1))]
async fn report(_id: u32) {}

fn main() {
    let _ = report::perform_async(1);
}
