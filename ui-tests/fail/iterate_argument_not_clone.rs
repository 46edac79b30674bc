use sancho::iterate::{self, Source};
use sancho::job;

#[job(iterate = rows)]
async fn import_row(_row: String, _file: File) {}

#[derive(serde::Serialize, serde::Deserialize)]
struct File(String);

fn rows(file: File, cursor: Option<u64>) -> impl Source<Item = String, Cursor = u64> {
    iterate::slice([file.0], cursor)
}

fn main() {
    let _ = import_row::perform_async(File(String::new()));
}
