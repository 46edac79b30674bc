//! The one-call bodies of the functions that `#[job]` generates.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{BulkPush, Inline, Push, Set};
use crate::job::{Job, SetOptions, Spec};

/// `job::set()`.
pub fn set<J: Job>() -> Set<J> {
    Set::new()
}

/// `perform_async` with the options of `set()`, or none.
pub fn push<S: Spec>(options: Option<&SetOptions>, args: S::Args) -> Push {
    let _ = (options, args);
    Push::stub()
}

/// `perform_in`.
pub fn push_in<S: Spec>(options: Option<&SetOptions>, delay: Duration, args: S::Args) -> Push {
    let _ = (options, delay, args);
    Push::stub()
}

/// `perform_at`.
pub fn push_at<S: Spec>(options: Option<&SetOptions>, at: DateTime<Utc>, args: S::Args) -> Push {
    let _ = (options, at, args);
    Push::stub()
}

/// `perform_bulk`.
pub fn push_bulk<S: Spec>(
    options: Option<&SetOptions>,
    items: impl IntoIterator<Item = S::Args, IntoIter: Send + 'static>,
) -> BulkPush {
    let _ = (options, items);
    BulkPush::stub()
}

/// `perform_inline`.
pub fn inline<S: Spec>(options: Option<&SetOptions>, args: S::Args) -> Inline {
    let _ = (options, args);
    Inline::stub()
}
