//! Ready sources.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;

use futures_core::Stream as AnyStream;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Source;
use crate::job::JobError;

/// The items of a list. The cursor is an item's index, so the list must be the same in every run.
#[must_use]
pub fn slice<T>(items: impl Into<Vec<T>>, cursor: Option<u64>) -> Slice<T> {
    let items: Vec<T> = items.into();
    let begin = cursor.unwrap_or(0);
    let skipped = usize::try_from(begin).unwrap_or(usize::MAX);
    let mut items = items.into_iter();
    if let Some(last_skipped) = skipped.checked_sub(1) {
        items.nth(last_skipped);
    }
    Slice { items, next: begin }
}

/// Numbers. The cursor is the number itself.
///
/// ```
/// # use sancho::iterate::{self, Source};
/// fn pages(first: u32, last: u32, cursor: Option<u32>) -> impl Source<Item = u32, Cursor = u32> {
///     iterate::range(first..last, cursor)
/// }
/// # let _ = pages(1, 2, None);
/// ```
#[must_use]
pub fn range<T>(range: std::ops::Range<T>, cursor: Option<T>) -> Range<T> {
    Range(match cursor {
        Some(begin) => begin..range.end,
        None => range,
    })
}

/// An iterator over `(item, cursor)` or `Result<(item, cursor), E>`, which begins where the run is to begin. It must not block
/// for long.
///
/// ```
/// # use sancho::iterate::{self, Source};
/// fn squares(cursor: Option<u64>) -> impl Source<Item = u64, Cursor = u64> {
///     iterate::iter((cursor.unwrap_or(1)..=9).map(|n| (n * n, n)))
/// }
/// # let _ = squares(None);
/// ```
#[must_use]
pub fn iter<I: IntoIterator>(items: I) -> Iter<I::IntoIter> {
    Iter(items.into_iter())
}

/// A stream of `(item, cursor)` or `Result<(item, cursor), E>`, which begins where the run is to begin.
#[must_use]
pub fn stream<S: AnyStream>(items: S) -> Stream<S> {
    Stream(Box::pin(items))
}

/// What an iterator or a stream gives: `(item, cursor)` or `Result<(item, cursor), E>`.
#[diagnostic::on_unimplemented(
    message = "a source does not give `{Self}`",
    label = "not an item with its cursor",
    note = "give `(item, cursor)` or `Result<(item, cursor), E>`: the cursor says where a later run begins to have this item first"
)]
pub trait Yielded {
    /// The item.
    type Item: Send;
    /// Its cursor.
    type Cursor: Serialize + DeserializeOwned + Send + Sync;
    /// What goes wrong.
    type Error: JobError;

    /// The item and its cursor.
    ///
    /// # Errors
    /// The source's own.
    fn yielded(self) -> Result<(Self::Item, Self::Cursor), Self::Error>;
}

impl<T: Send, C: Serialize + DeserializeOwned + Send + Sync> Yielded for (T, C) {
    type Item = T;
    type Cursor = C;
    type Error = Infallible;

    fn yielded(self) -> Result<Self, Infallible> {
        Ok(self)
    }
}

impl<T: Send, C: Serialize + DeserializeOwned + Send + Sync, E: JobError> Yielded
    for Result<(T, C), E>
{
    type Item = T;
    type Cursor = C;
    type Error = E;

    fn yielded(self) -> Self {
        self
    }
}

/// What [`slice()`] gives.
#[derive(Debug)]
pub struct Slice<T> {
    items: std::vec::IntoIter<T>,
    next: u64,
}

impl<T: Send> Source for Slice<T> {
    type Item = T;
    type Cursor = u64;
    type Error = Infallible;

    async fn next(&mut self) -> Result<Option<(T, u64)>, Infallible> {
        let index = self.next;
        // Past the last index there is nothing.
        self.next = index.saturating_add(1);
        Ok(self.items.next().map(|item| (item, index)))
    }
}

/// What [`range`] gives.
#[derive(Debug)]
pub struct Range<T>(std::ops::Range<T>);

impl<T> Source for Range<T>
where
    T: Copy + Serialize + DeserializeOwned + Send + Sync,
    std::ops::Range<T>: Iterator<Item = T>,
{
    type Item = T;
    type Cursor = T;
    type Error = Infallible;

    async fn next(&mut self) -> Result<Option<(T, T)>, Infallible> {
        Ok(self.0.next().map(|number| (number, number)))
    }
}

/// What [`iter`] gives.
#[derive(Debug)]
pub struct Iter<I>(I);

impl<I: Iterator<Item: Yielded> + Send> Source for Iter<I> {
    type Item = <I::Item as Yielded>::Item;
    type Cursor = <I::Item as Yielded>::Cursor;
    type Error = <I::Item as Yielded>::Error;

    async fn next(&mut self) -> Result<Option<(Self::Item, Self::Cursor)>, Self::Error> {
        self.0.next().map(Yielded::yielded).transpose()
    }
}

/// What [`stream`] gives.
pub struct Stream<S>(Pin<Box<S>>);

impl<S: AnyStream<Item: Yielded> + Send> Source for Stream<S> {
    type Item = <S::Item as Yielded>::Item;
    type Cursor = <S::Item as Yielded>::Cursor;
    type Error = <S::Item as Yielded>::Error;

    async fn next(&mut self) -> Result<Option<(Self::Item, Self::Cursor)>, Self::Error> {
        let next = poll_fn(|cx| self.0.as_mut().poll_next(cx)).await;
        next.map(Yielded::yielded).transpose()
    }
}

impl<S> fmt::Debug for Stream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all<S: Source>(mut source: S) -> Vec<(S::Item, S::Cursor)> {
        let mut all = Vec::new();
        while let Some(next) = source.next().await.unwrap() {
            all.push(next);
        }
        all
    }

    #[tokio::test]
    async fn a_list_begins_at_the_index_of_its_cursor() {
        assert_eq!(all(slice(["a", "b"], None)).await, [("a", 0), ("b", 1)]);
        assert_eq!(
            all(slice(["a", "b", "c"], Some(1))).await,
            [("b", 1), ("c", 2)]
        );
        assert_eq!(all(slice(vec!["a"], Some(0))).await, [("a", 0)]);
        assert_eq!(all(slice(["a"], Some(1))).await, []);
        assert_eq!(all(slice(["a"], Some(u64::MAX))).await, []);
    }

    #[tokio::test]
    async fn a_range_begins_at_its_cursor() {
        assert_eq!(all(range(3..5_u8, None)).await, [(3, 3), (4, 4)]);
        assert_eq!(all(range(-3..0_i64, Some(-1))).await, [(-1, -1)]);
        assert_eq!(all(range(3..5_u8, Some(9))).await, []);
    }

    #[tokio::test]
    async fn an_iterator_gives_items_or_its_error() {
        assert_eq!(all(iter([("a", 1)])).await, [("a", 1)]);
        let mut failing = iter([Ok(("a", 1)), Err("gone")]);
        assert_eq!(failing.next().await, Ok(Some(("a", 1))));
        assert_eq!(failing.next().await, Err("gone"));
        assert_eq!(failing.next().await, Ok(None));
    }
}
