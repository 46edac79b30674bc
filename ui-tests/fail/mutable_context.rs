use sancho::{Context, job};

#[job]
async fn report(#[context] cx: &mut Context) {
    let _ = cx;
}

fn main() {}
