//! Jobs that are called once for each item of a source: `#[job(iterate = path)]`, Sidekiq's iterable jobs.
//!
//! The function's first parameter is an item, the others are the job's as ever. The source is a function that takes what the job
//! takes but for the item, and then where to begin; each of its items comes with a cursor, which says where a later run begins to
//! have this item first.
//!
//! ```
//! use sancho::iterate::{self, Source};
//! use sancho::job;
//!
//! /// Greets one guest.
//! #[job(iterate = guests, on_complete = close)]
//! async fn greet(guest: String, hall: String) -> Result<(), std::io::Error> {
//!     println!("welcome to {hall}, {guest}");
//!     Ok(())
//! }
//!
//! fn guests(hall: String, cursor: Option<u64>) -> impl Source<Item = String, Cursor = u64> {
//!     iterate::slice([format!("first of {hall}"), format!("last of {hall}")], cursor)
//! }
//!
//! async fn close(hall: String) {
//!     println!("{hall} is full");
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! greet::perform_inline("the hall".into()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The cursor is written at most every 5 s, when the job is told to stop, and with the end of each execution. An item is done
//! at least once: the one that was being done comes again after a failure or a crash, and after a crash so do those of the last
//! 5 s. Other results than `Done` end the whole execution: after `Outcome::Snooze` or an error the job goes on with this item.
//!
//! # Hooks
//! Async functions that take what the job takes but for the item, and give `()` or `Result<(), E>`. An error is the job's.
//!
//! | option | called |
//! |---|---|
//! | `on_start` | before the first run |
//! | `on_resume` | before every later run |
//! | `on_stop` | after every run that did not fail |
//! | `on_cancel` | where the job was cancelled ([`Api::cancel_iteration`](crate::api::Api::cancel_iteration), Sidekiq's `cancel!`), before `on_stop` |
//! | `on_complete` | after the last item, after `on_stop` |
//!
//! [`Api::cancel`](crate::api::Api::cancel) gives a running job a second, whatever it does: where an item takes longer than that, no
//! hook is called. `cancel_iteration` waits for the item.

#[cfg(feature = "csv")]
mod csv;
mod run;
mod sources;

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(feature = "csv")]
pub use self::csv::{Csv, csv};
pub use run::{CursorOf, HookResult, Items, Iterating, hook};
pub use sources::{Iter, Range, Slice, Stream, Yielded, iter, range, slice, stream};

use super::JobError;

/// What gives the items of a job that iterates.
///
/// ```
/// use sancho::iterate::Source;
///
/// /// The numbers from one on, a page at a time.
/// struct Pages {
///     after: u64,
/// }
///
/// impl Source for Pages {
///     type Item = Vec<u64>;
///     type Cursor = u64;
///     type Error = std::io::Error;
///
///     async fn next(&mut self) -> Result<Option<(Vec<u64>, u64)>, std::io::Error> {
///         let after = self.after;
///         self.after += 100;
///         // As a database would be asked for the rows after this id.
///         let page: Vec<_> = (after + 1..=after + 100).take_while(|&id| id <= 250).collect();
///         Ok((!page.is_empty()).then_some((page, after)))
///     }
/// }
/// # let _ = Pages { after: 0 }.next();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no source of items",
    label = "gives no items with their cursors",
    note = "return `sancho::iterate::iter(..)`, `slice(..)`, `range(..)`, `stream(..)` or `csv(..)`, or a type that implements \
            `sancho::iterate::Source`"
)]
pub trait Source: Send {
    /// What the job's function is called with.
    type Item: Send;
    /// Where a run begins. Kept as JSON.
    type Cursor: Serialize + DeserializeOwned + Send + Sync;
    /// What goes wrong with the source. The job fails with it.
    type Error: JobError;

    /// The next item, and the cursor with which a source has it first; nothing after the last.
    ///
    /// # Errors
    /// The source's own. The job is tried again, from the last item on.
    fn next(&mut self) -> impl Future<Output = Next<Self::Item, Self::Cursor, Self::Error>> + Send;
}

/// What a [`Source`] gives: an item and its cursor, or nothing after the last.
pub type Next<T, C, E> = Result<Option<(T, C)>, E>;

/// What the function of `iterate` returns: a [`Source`], or a `Result` with one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no source of items",
    label = "gives no items with their cursors",
    note = "return `sancho::iterate::iter(..)`, `slice(..)`, `range(..)`, `stream(..)` or `csv(..)`, or a type that implements \
            `sancho::iterate::Source`"
)]
pub trait IntoSource {
    /// The source.
    type Source: Source;
    /// Why there is none.
    type Error: JobError;

    /// The source.
    ///
    /// # Errors
    /// Whatever keeps it from being opened. The job fails with it.
    fn into_source(self) -> Result<Self::Source, Self::Error>;
}

#[diagnostic::do_not_recommend]
impl<S: Source> IntoSource for S {
    type Source = S;
    type Error = S::Error;

    fn into_source(self) -> Result<S, S::Error> {
        Ok(self)
    }
}

impl<S: Source, E: JobError> IntoSource for Result<S, E> {
    type Source = S;
    type Error = E;

    fn into_source(self) -> Self {
        self
    }
}
