use sancho::{Context, job};

#[job(iterate = rows)]
async fn import_row(#[context] _cx: &Context) {}

fn rows(_: &Context, _: Option<u64>) {}

fn main() {
    
}
