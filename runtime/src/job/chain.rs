//! Middleware in its order: what the chains of both sides are made of.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;

/// Middleware, outermost first. The same type may stand there more than once.
pub(crate) struct Chain<E: ?Sized>(Vec<Link<E>>);

/// One middleware.
pub(crate) struct Link<E: ?Sized> {
    of: TypeId,
    pub(crate) middleware: Arc<E>,
}

impl<E: ?Sized> Link<E> {
    /// A middleware of the type `M`.
    pub(crate) fn new<M: 'static>(middleware: Arc<E>) -> Self {
        Self {
            of: TypeId::of::<M>(),
            middleware,
        }
    }
}

impl<E: ?Sized> Chain<E> {
    pub(crate) fn links(&self) -> &[Link<E>] {
        &self.0
    }

    pub(crate) fn add(&mut self, link: Link<E>) {
        self.0.push(link);
    }

    pub(crate) fn prepend(&mut self, link: Link<E>) {
        self.0.insert(0, link);
    }

    pub(crate) fn insert_before<Other: 'static>(&mut self, link: Link<E>) {
        let at = self.0.iter().position(is::<Other, E>).unwrap_or(0);
        self.0.insert(at, link);
    }

    pub(crate) fn insert_after<Other: 'static>(&mut self, link: Link<E>) {
        let after = self.0.iter().rposition(is::<Other, E>);
        self.0.insert(after.map_or(self.0.len(), |at| at + 1), link);
    }

    pub(crate) fn remove<M: 'static>(&mut self) {
        self.0.retain(|link| !is::<M, E>(link));
    }

    pub(crate) fn contains<M: 'static>(&self) -> bool {
        self.0.iter().any(is::<M, E>)
    }
}

fn is<M: 'static, E: ?Sized>(link: &Link<E>) -> bool {
    link.of == TypeId::of::<M>()
}

impl<E: ?Sized> Default for Chain<E> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<E: ?Sized> Clone for Chain<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E: ?Sized> Clone for Link<E> {
    fn clone(&self) -> Self {
        Self {
            of: self.of,
            middleware: self.middleware.clone(),
        }
    }
}

impl<E: ?Sized + fmt::Debug> fmt::Debug for Chain<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

impl<E: ?Sized + fmt::Debug> fmt::Debug for Link<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.middleware.fmt(f)
    }
}

/// The functions of a public chain, for a type around a [`Chain`] with a function `link`.
macro_rules! chain_functions {
    ($middleware:ident) => {
        /// Adds one, inside of those that are there.
        pub fn add(&mut self, middleware: impl $middleware) -> &mut Self {
            self.0.add(link(middleware));
            self
        }

        /// Adds one, around those that are there.
        pub fn prepend(&mut self, middleware: impl $middleware) -> &mut Self {
            self.0.prepend(link(middleware));
            self
        }

        /// Adds one just around the outermost `Other`; around all of them if there is none.
        pub fn insert_before<Other: $middleware>(
            &mut self,
            middleware: impl $middleware,
        ) -> &mut Self {
            self.0.insert_before::<Other>(link(middleware));
            self
        }

        /// Adds one just inside of the innermost `Other`; inside of all of them if there is none.
        pub fn insert_after<Other: $middleware>(
            &mut self,
            middleware: impl $middleware,
        ) -> &mut Self {
            self.0.insert_after::<Other>(link(middleware));
            self
        }

        /// Takes out every `M`.
        pub fn remove<M: $middleware>(&mut self) -> &mut Self {
            self.0.remove::<M>();
            self
        }

        /// Takes out all of them.
        pub fn clear(&mut self) -> &mut Self {
            self.0 = $crate::job::chain::Chain::default();
            self
        }

        /// Whether there is an `M`.
        #[must_use]
        pub fn contains<M: $middleware>(&self) -> bool {
            self.0.contains::<M>()
        }

        /// Whether there is none.
        #[must_use]
        pub fn is_empty(&self) -> bool {
            self.0.links().is_empty()
        }
    };
}
pub(crate) use chain_functions;

#[cfg(test)]
mod tests {
    use super::*;

    struct A;
    struct B;
    struct C;

    fn link<M: 'static>(name: &'static str) -> Link<str> {
        Link::new::<M>(name.into())
    }

    fn names(chain: &Chain<str>) -> Vec<&str> {
        chain.links().iter().map(|link| &*link.middleware).collect()
    }

    #[test]
    fn each_stands_where_it_was_put() {
        let mut chain = Chain::default();
        chain.add(link::<A>("a"));
        chain.add(link::<B>("b"));
        chain.add(link::<A>("a again"));
        chain.prepend(link::<C>("first"));
        chain.insert_before::<A>(link::<C>("before a"));
        chain.insert_after::<A>(link::<C>("after a"));
        chain.insert_before::<B>(link::<C>("before b"));
        assert_eq!(
            names(&chain),
            [
                "first", "before a", "a", "before b", "b", "a again", "after a"
            ]
        );
        chain.remove::<C>();
        assert_eq!(names(&chain), ["a", "b", "a again"]);
        assert!(chain.contains::<B>() && !chain.contains::<C>());
    }

    #[test]
    fn beside_what_is_not_there_is_at_an_end() {
        let mut chain = Chain::default();
        chain.insert_after::<B>(link::<A>("a"));
        chain.insert_before::<B>(link::<A>("first"));
        chain.insert_after::<B>(link::<A>("last"));
        assert_eq!(names(&chain), ["first", "a", "last"]);
    }
}
