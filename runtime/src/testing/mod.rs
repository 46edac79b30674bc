//! For tests of jobs.

use std::sync::Arc;

use crate::client::{Client, Config};
use crate::job::{Context, JobId};
use crate::store::Store;

/// A context for calling a job's function in a unit test: first attempt, queue `default`, not stopping. It keeps checkpoints: called
/// again with the same context, the function goes on.
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

/// A client over a store that is open already, for instance a [`MemoryStore`](crate::store::memory::MemoryStore). Must be
/// called on a tokio runtime.
#[must_use]
pub fn client(store: Arc<dyn Store>) -> Client {
    Client::over(store, &Config::new())
}

/// The same, with a configuration; the store that it names is not looked at.
#[must_use]
pub fn client_with(store: Arc<dyn Store>, config: &Config) -> Client {
    Client::over(store, config)
}
