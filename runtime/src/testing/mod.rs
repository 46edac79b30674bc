//! For tests of jobs, and of what pushes them: fakes, assertions, a clock, a context and a server.
//!
//! ```
//! use sancho::job;
//! use sancho::testing::{self, TestJobs as _, assert_enqueued};
//!
//! #[job(queue = "mailers")]
//! async fn welcome_email(user_id: i64) -> Result<(), String> {
//!     if user_id > 0 { Ok(()) } else { Err("no such user".into()) }
//! }
//!
//! async fn sign_up() -> Result<(), sancho::PushError> {
//!     welcome_email::perform_async(42).await.map(|_| ())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let fake = testing::fake();
//! sign_up().await.unwrap();
//! assert_enqueued!(welcome_email(42), queue = "mailers");
//! assert_eq!(welcome_email::drain().await.unwrap(), 1);
//! assert!(fake.jobs().is_empty());
//! # }
//! ```
//!
//! # Whose pushes
//! A fake takes the pushes of the tokio runtime that it was asked for on: of the test, of the tasks that it spawns, of the blocking
//! ones, of a `LocalSet`. Outside of a runtime it takes those of its thread. Every `#[tokio::test]` has a runtime of its own, so
//! tests run side by side and need no lock and no serial order. Dropped, it ends; the one that was asked for before it is back.
//!
//! What pushes by default is what a fake takes: `perform_async` and its kin, and [`sancho::client()`](crate::client()) with jobs of
//! any class. A push that names a client (`.client(&c)`, `c.push(...)`) goes to that client, since whoever wrote it said where
//! it goes; to push into the fake by a client, take [`Fake::client`].
//!
//! Once a test of a process has asked for a fake, a push that no test owns is an error that says so, for as long as the process
//! lives: a thread that outlives its test must not reach a real store, nor may a test that forgot its fake reach the store that another
//! one's `init` or server connected to. A test that means the real one asks for [`disable`].
//!
//! # What a program pays for it
//! A relaxed atomic load for each push that names no client. Nothing else of this module runs in a program that does not call it, so
//! it stands behind no feature.

mod clock;
mod context;
mod enqueued;
mod error;
mod expect;
mod fake;
mod jobs;
mod macros;
mod server;
mod stage;

use std::sync::Arc;

pub use clock::Clock;
pub use context::{TestContext, context};
pub use enqueued::{Enqueued, EnqueuedJob};
pub use error::RunError;
#[doc(hidden)]
pub use expect::{__any, __assert_enqueued, __call, __nothing, __refute_enqueued, Delay, Expected};
pub use fake::{Disabled, Fake, Settled, disable, fake, inline};
pub use jobs::TestJobs;
pub use server::Server;

pub use crate::{assert_enqueued, refute_enqueued};

use crate::client::{Client, Config};
use crate::store::Store;

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
