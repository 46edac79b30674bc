//! What the code that `#[job]` generates may name. Not an interface: it changes with the macro.

pub use std::boxed::Box;
pub use std::clone::Clone;
use std::future::Future;
pub use std::iter::IntoIterator;
use std::marker::PhantomData;
pub use std::marker::Send;
pub use std::option::Option;
use std::pin::Pin;
use std::task::{Context, Poll};
pub use std::time::Duration;

pub use chrono::{DateTime, Utc};
pub use futures_core::Stream;
pub use linkme;

pub use crate::client::typed::{
    inline, push, push_at, push_bulk, push_bulk_at, push_bulk_each, push_bulk_stream, push_in, set,
};
pub use crate::client::{BulkEach, BulkPush, Inline, Push, Set, SetOptions, TypedSet};
pub use crate::job::blocking::blocking;
pub use crate::job::iterate::{Iterating, hook};
pub use crate::job::{
    ArgInfo, Args, Backtrace, Call, Cause, CronInfo, Definition, ErrorOf, Failure, IntoExhausted,
    IntoOutcome, Item, Job, Location, Message, OfAny, OfError, Older, Outcome, Policy, Retry,
    RetryIn, RetryRule, Returned, Rule, Spec, StateInfo, States, Takes, Wait, upcast,
};

/// Every job that is linked into the binary.
#[linkme::distributed_slice]
pub static JOBS: [&'static Definition];

/// What another crate adds to the program of a worker ([`serve`](crate::runtime::serve())): it starts where its flag is given.
#[derive(Debug)]
pub struct Service {
    /// Its flag, without the dashes.
    pub name: &'static str,
    /// Starts it over the worker's client, with the value of its flag.
    pub start: StartService,
}

/// Makes ready what can fail, or says why it cannot; then it runs until it is dropped.
pub type StartService = fn(crate::Client, String) -> Pin<Box<dyn Future<Output = Started> + Send>>;

/// A service that is ready, or why it is not.
pub type Started = Result<Pin<Box<dyn Future<Output = ()> + Send>>, String>;

/// Every service that is linked into the binary.
#[linkme::distributed_slice]
pub static SERVICES: [&'static Service];

/// Puts a definition among [`JOBS`].
#[doc(hidden)]
#[macro_export]
macro_rules! __register {
    ($definition:ident) => {
        #[$crate::__private::linkme::distributed_slice($crate::__private::JOBS)]
        #[linkme(crate = $crate::__private::linkme)]
        static __ENTRY: &'static $crate::__private::Definition = &$definition;
    };
}
pub use crate::__register as register;

/// What a job's function returned, and what its error says.
pub fn finish<S: Spec>(output: S::Output, message: Option<Message>) -> Result<Outcome, Failure> {
    output
        .into_outcome()
        .map_err(|error| Failure::from_error(error, message))
}

/// The items of `perform_bulk` for a job of one argument.
pub fn items<T, I: IntoIterator<Item: Item<T>>>(items: I) -> Items<I::IntoIter, T> {
    Items(items.into_iter(), PhantomData)
}

/// What [`items`] gives. Not a `Map`: a function pointer in its type would need items that are `'static`.
#[derive(Debug)]
pub struct Items<I, T>(I, PhantomData<fn() -> T>);

impl<T, I: Iterator<Item: Item<T>>> Iterator for Items<I, T> {
    type Item = (T,);

    fn next(&mut self) -> Option<(T,)> {
        self.0.next().map(Item::into_args)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// The items of `perform_bulk_at` for a job of one argument.
pub fn items_at<T, I>(items: I) -> ItemsAt<I::IntoIter, T>
where
    I: IntoIterator<Item: TimedItem<T>>,
{
    ItemsAt(items.into_iter(), PhantomData)
}

/// A time, and an item of [`items`].
pub trait TimedItem<T> {
    /// The time, and the arguments.
    fn into_timed_args(self) -> (DateTime<Utc>, (T,));
}

impl<T, A: Item<T>> TimedItem<T> for (DateTime<Utc>, A) {
    fn into_timed_args(self) -> (DateTime<Utc>, (T,)) {
        (self.0, self.1.into_args())
    }
}

/// What [`items_at`] gives.
#[derive(Debug)]
pub struct ItemsAt<I, T>(I, PhantomData<fn() -> T>);

impl<T, I: Iterator<Item: TimedItem<T>>> Iterator for ItemsAt<I, T> {
    type Item = (DateTime<Utc>, (T,));

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(TimedItem::into_timed_args)
    }
}

/// The items of `perform_bulk_stream` for a job of one argument.
pub fn items_of<T, S: Stream<Item: Item<T>>>(items: S) -> ItemStream<S, T> {
    ItemStream(Box::pin(items), PhantomData)
}

/// What [`items_of`] gives.
#[derive(Debug)]
pub struct ItemStream<S, T>(Pin<Box<S>>, PhantomData<fn() -> T>);

impl<T, S: Stream<Item: Item<T>>> Stream for ItemStream<S, T> {
    type Item = (T,);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<(T,)>> {
        let item = self.0.as_mut().poll_next(cx);
        item.map(|item| item.map(Item::into_args))
    }
}
