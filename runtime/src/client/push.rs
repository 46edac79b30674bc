//! The futures that pushes return.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::job::{JobId, Outcome};

macro_rules! stub_future {
    ($name:ident, $output:ty) => {
        /// A push under way.
        #[must_use = "a job is enqueued when this is awaited"]
        pub struct $name(Pin<Box<dyn Future<Output = $output> + Send>>);

        impl $name {
            pub(crate) fn stub() -> Self {
                Self(Box::pin(std::future::pending()))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        impl Future for $name {
            type Output = $output;

            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<$output> {
                self.0.as_mut().poll(cx)
            }
        }
    };
}

stub_future!(Push, Result<JobId, PushError>);
stub_future!(BulkPush, Result<Vec<JobId>, BulkError>);
stub_future!(Inline, Result<Outcome, InlineError>);

/// A push that failed.
#[derive(Debug, thiserror::Error)]
#[error("stub")]
pub struct PushError;

/// A bulk that failed.
#[derive(Debug, thiserror::Error)]
#[error("stub")]
pub struct BulkError;

/// An inline run that failed.
#[derive(Debug, thiserror::Error)]
#[error("stub")]
pub struct InlineError;
