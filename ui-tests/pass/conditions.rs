//! `#[cfg]` and `#[deprecated]` on either side of `#[job]`.
#![deny(warnings)]

use sancho::job;

#[cfg(any())]
#[job]
pub async fn never_above(_id: Missing) {}

#[job]
#[cfg(any())]
pub async fn never_below(_id: Missing) {}

#[cfg(all())]
#[job]
#[deprecated]
pub async fn always_above(_id: i64) {}

#[deprecated]
#[job]
#[cfg(all())]
pub async fn always_below(_id: i64) {}

#[allow(deprecated)]
fn main() {
    drop(always_above::perform_async(1));
    drop(always_below::perform_async(1));
    assert_eq!(sancho::__private::JOBS.len(), 2);
}
