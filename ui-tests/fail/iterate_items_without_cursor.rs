use sancho::iterate::{self, Source};
use sancho::job;

#[job(iterate = rows)]
async fn import_row(_row: String, _file: String) {}

fn rows(file: String, _cursor: Option<u64>) -> impl Source<Item = String, Cursor = u64> {
    iterate::iter([file])
}

fn main() {
    let _ = import_row::perform_async(String::new());
}
