#![deny(warnings, missing_docs, unreachable_pub, missing_debug_implementations)]
//! Assertions of jobs in other places, with private types.

use std::time::Duration;

use sancho::testing::{TestJobs as _, fake};

/// The jobs.
pub mod jobs {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    pub(crate) struct Private(pub(crate) u8);

    /// Takes what only this crate knows.
    #[sancho::job]
    #[expect(private_interfaces, reason = "the function is public, its argument is not")]
    pub async fn takes_private(value: Private, list: Vec<(u8, Option<String>)>) {
        drop((value, list));
    }

    /// Takes nothing.
    #[sancho::job]
    pub async fn takes_nothing() {}
}

macro_rules! given {
    ($value:expr) => {
        jobs::Private($value)
    };
}

fn main() {
    let fake = fake();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let push = jobs::takes_private::perform_async(jobs::Private(1), vec![(2, None)]);
    runtime.block_on(push).unwrap();
    sancho::assert_enqueued!(jobs::takes_private(given!(1), vec![(2, None)]), within = Duration::ZERO, in = 0);
    sancho::testing::assert_enqueued!(crate::jobs::takes_private, count = fake.jobs().len());
    sancho::refute_enqueued!(jobs::takes_nothing(), queue = String::from("default"));
    let (value, list) = jobs::takes_private::jobs()[0].args();
    assert_eq!((value, list.len()), (jobs::Private(1), 1));
}
