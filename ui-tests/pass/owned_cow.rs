//! A `Cow` that lives for ever owns what it was decoded from.
#![deny(warnings)]

use std::borrow::Cow;

use sancho::job;

#[job]
async fn report(_name: Cow<'static, str>) {}

fn main() {
    let _ = report::perform_async("Ada".into());
}
