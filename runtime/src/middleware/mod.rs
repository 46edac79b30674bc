//! Middleware that comes with Sancho. None of it is there unless it is added.
//!
//! | | client | server |
//! |---|---|---|
//! | [`Current`] | writes the current values into the payload | makes them current around the run |
//! | [`Trace`] | writes the current span into the payload | makes the run a span of the same trace |
//! | `OpenTelemetry` (feature `opentelemetry`) | makes the push a span, and writes it into the payload | makes the run a child of it |
//! | `Tower` (feature `tower`) | | runs the job inside of a `tower` layer |
//!
//! Your own are a [`ClientMiddleware`](crate::client::ClientMiddleware) and a [`Middleware`](crate::engine::Middleware).

mod current;
#[cfg(feature = "opentelemetry")]
mod opentelemetry;
#[cfg(feature = "tower")]
mod tower;
mod trace;

pub use self::current::Current;
#[cfg(feature = "opentelemetry")]
pub use self::opentelemetry::OpenTelemetry;
#[cfg(feature = "tower")]
pub use self::tower::{Tower, TowerCall, TowerError, TowerJob};
pub use self::trace::Trace;
pub use crate::job::TraceContext;
