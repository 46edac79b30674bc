use sancho::job;

#[job(on_complete = done)]
async fn import_row(_file: String) {}

async fn done(_file: String) {}

fn main() {
    let _ = import_row::perform_async(String::new());
}
