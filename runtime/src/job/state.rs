//! Shared state, by type.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The values that `#[state]` parameters borrow: at most one of each type.
#[derive(Clone, Default)]
pub struct States(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl States {
    /// Keeps `value` for parameters of type `&T`; an earlier value of that type is replaced.
    pub fn insert<T: ?Sized + Send + Sync + 'static>(&mut self, value: Arc<T>) {
        self.0.insert(TypeId::of::<T>(), Arc::new(value));
    }

    /// The value of this type.
    #[must_use]
    pub fn get<T: ?Sized + Send + Sync + 'static>(&self) -> Option<&T> {
        let value = self.0.get(&TypeId::of::<T>())?;
        value.downcast_ref::<Arc<T>>().map(Arc::as_ref)
    }

    /// The value of this type, which a `#[state]` parameter or a callback borrows.
    ///
    /// # Panics
    /// If it was not given; the start of a server checks that it was.
    #[doc(hidden)]
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "the start checks every state that a job names"
    )]
    pub fn borrowed<T: ?Sized + Send + Sync + 'static>(&self) -> &T {
        self.get::<T>()
            .expect("the start of the server checked that the state is there")
    }

    /// Takes over the values of `other` of types that this has none of.
    pub(crate) fn fill_from(&mut self, other: &Self) {
        for (id, value) in &other.0 {
            self.0.entry(*id).or_insert_with(|| value.clone());
        }
    }

    /// Whether there is a value of the type with this id.
    #[must_use]
    pub fn contains(&self, id: TypeId) -> bool {
        self.0.contains_key(&id)
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "States({} values)", self.0.len())
    }
}
