//! Values that go along with a task: the tenant, the locale, the request that something is done for.
//!
//! [`scope`] sets one for a future, [`get`] reads it anywhere inside. [`middleware::Current`](crate::middleware::Current)
//! carries them from a push into the run of its job, as Sidekiq's `CurrentAttributes` does.
//!
//! ```
//! use sancho::current;
//!
//! struct Locale(&'static str);
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! current::scope(Locale("fr"), async {
//!     assert_eq!(current::get::<Locale>().unwrap().0, "fr");
//! })
//! .await;
//! assert!(current::get::<Locale>().is_none());
//! # }
//! ```
//!
//! A task that is spawned inside does not have them: give it a [`snapshot`]. A job that is not async has those of its run.

use std::any::{Any, TypeId};
use std::fmt;
use std::future::Future;
use std::sync::Arc;

tokio::task_local! {
    static CURRENT: Snapshot;
}

/// All values of one moment, one of a type. Cheap to clone.
#[derive(Clone, Default)]
pub struct Snapshot(Option<Arc<Vec<Value>>>);

type Value = (TypeId, Arc<dyn Any + Send + Sync>);

/// Runs a future with this value, instead of one of the same type that is current, and beside those of other types.
///
/// # Cancel safety
/// That of the future.
pub fn scope<T: Send + Sync + 'static, F: Future>(
    value: T,
    future: F,
) -> impl Future<Output = F::Output> + use<T, F> {
    snapshot().with(value).scope(future)
}

/// The current value of this type.
#[must_use]
pub fn get<T: Send + Sync + 'static>() -> Option<Arc<T>> {
    CURRENT.try_with(Snapshot::get).ok().flatten()
}

/// All values that are current.
#[must_use]
pub fn snapshot() -> Snapshot {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

impl Snapshot {
    /// The same, with this value instead of that of its type.
    #[must_use]
    pub fn with<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        let values = Arc::make_mut(self.0.get_or_insert_default());
        values.retain(|(of, _)| *of != TypeId::of::<T>());
        values.push((TypeId::of::<T>(), Arc::new(value)));
        self
    }

    /// The value of this type.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let mut values = self.0.as_ref()?.iter();
        let (_, value) = values.find(|(of, _)| *of == TypeId::of::<T>())?;
        value.clone().downcast().ok()
    }

    /// Runs a future with these values and no others.
    ///
    /// # Cancel safety
    /// That of the future.
    pub fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(self, future)
    }

    /// Calls a function with these values and no others: on a thread that blocks, for instance.
    pub fn sync_scope<R>(self, function: impl FnOnce() -> R) -> R {
        CURRENT.sync_scope(self, function)
    }

    fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |values| values.len())
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot({} values)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_innermost_value_of_a_type_is_current() {
        assert_eq!(get::<u8>(), None);
        scope(1_u8, async {
            scope("text", async {
                scope(2_u8, async { assert_eq!(*get::<u8>().unwrap(), 2) }).await;
                assert_eq!(*get::<u8>().unwrap(), 1);
                assert_eq!(*get::<&str>().unwrap(), "text");
            })
            .await;
            assert_eq!(get::<&str>(), None);
        })
        .await;
        assert!(snapshot().is_empty());
    }

    #[tokio::test]
    async fn a_task_has_what_it_is_given() {
        scope(1_u8, async {
            let bare = tokio::spawn(async { get::<u8>() });
            assert_eq!(bare.await.unwrap(), None);
            let given = tokio::spawn(snapshot().scope(async { get::<u8>() }));
            assert_eq!(given.await.unwrap().as_deref(), Some(&1));
        })
        .await;
    }
}
