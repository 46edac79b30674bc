use sancho::iterate::{self, Source};
use sancho::job;

#[job(iterate = rows, on_complete = done)]
async fn import_row(_row: String, _file: String) {}

fn rows(file: String, cursor: Option<u64>) -> impl Source<Item = String, Cursor = u64> {
    iterate::slice([file], cursor)
}

async fn done() {}

fn main() {
    let _ = import_row::perform_async(String::new());
}
