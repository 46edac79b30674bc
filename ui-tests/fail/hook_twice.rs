use sancho::iterate::{self, Source};
use sancho::job;

#[job(iterate = rows, on_stop = release, on_stop = release)]
async fn import_row(_row: String, _file: String) {}

fn rows(file: String, cursor: Option<u64>) -> impl Source<Item = String, Cursor = u64> {
    iterate::slice([file], cursor)
}

async fn release(_file: String) {}

fn main() {
    let _ = import_row::perform_async(String::new());
}
