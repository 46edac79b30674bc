//! For tests of jobs.

use crate::job::{Context, JobId};

/// A context for calling a job's function in a unit test: first attempt, queue `default`, not stopping.
///
/// ```
/// use sancho::{Context, job};
///
/// #[job]
/// async fn import(#[context] cx: &Context, path: String) {
///     assert_eq!(cx.attempt(), 1);
///     # let _ = path;
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// import(&sancho::testing::context(), "users.csv".into()).await;
/// # }
/// ```
#[must_use]
pub fn context() -> Context {
    Context::detached(JobId::random(), &"default".into(), Vec::new())
}
