use sancho::job;

#[job(iterate = "rows")]
async fn import_row(_row: String, _file: String) {}


fn main() {
    let _ = import_row::perform_async(String::new());
}
