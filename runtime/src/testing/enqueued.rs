//! Jobs as a test sees them.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::api::JobRecord;
use crate::job::{Args, Job, Takes, Timestamp};
use crate::store::TimedSet;

/// A job that a fake holds. What it derefs to says all that its payload says: `jid()`, `class()`, `queue()`, `tags()`, `retry()`,
/// `text()` and so on.
#[derive(Clone, Debug)]
pub struct Enqueued {
    record: JobRecord,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Queue(Arc<str>),
    Timed(TimedSet, Timestamp),
}

impl Enqueued {
    pub(super) fn in_queue(queue: Arc<str>, payload: Bytes) -> Self {
        Self {
            record: JobRecord::read(payload),
            place: Place::Queue(queue),
        }
    }

    pub(super) fn in_set(set: TimedSet, at: Timestamp, payload: Bytes) -> Self {
        Self {
            record: JobRecord::read(payload),
            place: Place::Timed(set, at),
        }
    }

    /// What its payload says.
    #[must_use]
    pub fn record(&self) -> &JobRecord {
        &self.record
    }

    /// When it runs, or is tried again, or died; `None` for a job that stands in its queue.
    #[must_use]
    pub fn at(&self) -> Option<DateTime<Utc>> {
        match self.place {
            Place::Queue(_) => None,
            Place::Timed(_, at) => Some(at.into()),
        }
    }

    /// The queue that it stands in, where it stands in one.
    pub(super) fn standing_in(&self) -> Option<&Arc<str>> {
        match &self.place {
            Place::Queue(queue) => Some(queue),
            Place::Timed(..) => None,
        }
    }

    /// The set that it waits in, and the bytes that it has there.
    pub(super) fn place(&self) -> crate::store::PlaceName {
        match &self.place {
            Place::Queue(queue) => crate::store::PlaceName::Queue(queue.clone()),
            Place::Timed(set, _) => (*set).into(),
        }
    }

    /// As a call: its class with its arguments.
    pub(super) fn call(&self) -> String {
        call(self.record.class(), self.record.args())
    }
}

/// A job as a call: `welcome_email(42)`.
pub(super) fn call(name: &str, args: Option<&str>) -> String {
    let args = args.unwrap_or_default();
    let inner = args
        .strip_prefix('[')
        .and_then(|args| args.strip_suffix(']'));
    format!("{name}({})", inner.unwrap_or(args))
}

impl Deref for Enqueued {
    type Target = JobRecord;

    fn deref(&self) -> &JobRecord {
        &self.record
    }
}

impl fmt::Display for Enqueued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the job {} (jid {})", self.call(), self.record.jid())
    }
}

/// A job of the type `J` that a fake holds: an [`Enqueued`] that knows the types of its arguments.
pub struct EnqueuedJob<J> {
    job: Enqueued,
    of: PhantomData<fn() -> J>,
}

impl<J: Job> EnqueuedJob<J> {
    pub(super) fn new(job: Enqueued) -> Self {
        Self {
            job,
            of: PhantomData,
        }
    }

    /// Its arguments as the function takes them, in a tuple.
    ///
    /// # Panics
    /// If they are not those of the function: pushed by class, or changed by middleware.
    #[must_use]
    #[track_caller]
    pub fn args<A: Args>(&self) -> A
    where
        J: Takes<A>,
    {
        let json = self.record.args().unwrap_or_default();
        match A::decode(json.as_bytes(), J::DEFINITION.args) {
            Ok(args) => args,
            Err(error) => panic!("{} does not fit its function: {error}", self.job),
        }
    }
}

impl<J> Clone for EnqueuedJob<J> {
    fn clone(&self) -> Self {
        Self {
            job: self.job.clone(),
            of: PhantomData,
        }
    }
}

impl<J> Deref for EnqueuedJob<J> {
    type Target = Enqueued;

    fn deref(&self) -> &Enqueued {
        &self.job
    }
}

impl<J> fmt::Debug for EnqueuedJob<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.job, f)
    }
}
