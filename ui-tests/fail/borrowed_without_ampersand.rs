use std::borrow::Cow;

use sancho::job;

#[job]
async fn report(_name: Cow<'_, str>) {}

fn main() {}
