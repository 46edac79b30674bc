use sancho::{Context, job};

#[job]
async fn report(#[context(jid)] cx: &Context) {
    let _ = cx;
}

fn main() {}
