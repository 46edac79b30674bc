use sancho::iterate::{self, Source};
use sancho::job;

#[job(iterate = rows, on_start = prepare)]
async fn import_row(_row: String, _file: String) {}

fn rows(file: String, cursor: Option<u64>) -> impl Source<Item = String, Cursor = u64> {
    iterate::slice([file], cursor)
}

fn main() {
    let _ = import_row::perform_async(String::new());
}
