use sancho::iterate::{self, Source};
use sancho::job;

#[job(iterate = rows)]
async fn import_row(_row: String, _file: String) {}

fn rows(file: String) -> impl Source<Item = String, Cursor = u64> {
    iterate::slice([file], None)
}

fn main() {
    let _ = import_row::perform_async(String::new());
}
