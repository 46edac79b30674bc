use sancho::job;

#[job(iterate = rows)]
async fn import_row(_row: String, _file: String) {}

fn rows(file: String, _cursor: Option<u64>) -> Vec<String> {
    vec![file]
}

fn main() {
    let _ = import_row::perform_async(String::new());
}
