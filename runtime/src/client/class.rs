//! Pushes by class: of jobs that this program has no function for, such as Ruby's.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_core::Stream;
use serde::Serialize;

use super::bulk::{Iter, Map};
use super::options::{SetOptions, option_setters};
use super::{BulkEach, BulkPush, Client, Push, PushError, default, plan, stand_in};
use crate::job::payload::NewJob;
use crate::job::{JobId, Timestamp};

/// The default client: the one that `perform_async` uses. It connects at the first push, as [`init`](super::init) or the
/// environment says.
///
/// ```no_run
/// # async fn example() -> Result<(), sancho::PushError> {
/// // A job of Ruby's: HardJob.perform_async(1, "two")
/// sancho::client().push("HardJob", (1, "two")).await?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn client() -> DefaultClient {
    DefaultClient(())
}

/// The default client, which [`client`] gives.
#[derive(Clone, Copy, Debug)]
pub struct DefaultClient(());

/// The functions that push by class, for a type with `target(&self) -> Target`.
macro_rules! class_pushes {
    () => {
        /// Pushes a job of this class: one that this program has no function for, or one of Ruby's.
        ///
        /// The arguments are anything that is a JSON array: a tuple (of a single one: `(42,)`), a slice, a `Vec`; or `()`.
        /// They must be what the class takes: nobody checks.
        pub fn push(&self, class: impl Into<String>, args: impl Serialize) -> Push {
            self.job(class).perform_async(args)
        }

        /// Pushes a job of this class for each item, 1,000 in a round trip. An item is the arguments of one job, as in
        /// [`push`](Self::push).
        pub fn push_bulk<I>(&self, class: impl Into<String>, items: I) -> BulkPush
        where
            I: IntoIterator<Item: Serialize, IntoIter: Send + 'static>,
        {
            self.job(class).perform_bulk(items)
        }

        /// A push of this class with options or for later.
        ///
        /// ```no_run
        /// # use std::time::Duration;
        /// # async fn example() -> Result<(), sancho::PushError> {
        /// let hard = sancho::client().job("HardJob").queue("critical").retry(5);
        /// hard.perform_in(Duration::from_secs(3600), (1, "two")).await?;
        /// # Ok(())
        /// # }
        /// ```
        pub fn job(&self, class: impl Into<String>) -> ClassSet {
            ClassSet::new(class.into(), self.target())
        }

        /// Pushes a job that was put together by hand. `job.args` must be the text of a JSON array.
        pub fn push_job(&self, job: NewJob) -> Push {
            let job = plan::check_json(&job).map(|()| job);
            push(self.target(), job)
        }
    };
}

impl DefaultClient {
    class_pushes!();

    fn target(self) -> Option<Client> {
        None
    }
}

impl Client {
    class_pushes!();

    fn target(&self) -> Option<Client> {
        Some(self.clone())
    }
}

/// Options for pushes of one class: what [`Client::job`] gives.
#[derive(Clone)]
#[must_use = "options do nothing until a `perform_*` follows"]
pub struct ClassSet {
    /// With its class, and with what only pushes by class can set.
    template: NewJob,
    options: SetOptions,
    /// What is wrong with the first field that could not be set.
    wrong: Option<String>,
}

impl ClassSet {
    fn new(class: String, client: Option<Client>) -> Self {
        Self {
            template: NewJob::new(class, "[]"),
            options: SetOptions {
                client,
                ..SetOptions::default()
            },
            wrong: None,
        }
    }

    option_setters!();

    /// Is shown under this name instead of its class.
    pub fn display_class(mut self, name: impl Into<String>) -> Self {
        self.template.display_class = Some(name.into());
        self
    }

    /// Has arguments of this version, from 1: those of a job that says `version = 2`, for instance.
    pub fn version(mut self, version: u32) -> Self {
        self.template.version = version;
        self
    }

    /// Carries another field in its payload, as [`NewJob::set_field`] sets it; what cannot be set is an error of the push.
    pub fn field(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        if let Err(error) = self.template.set_field(name, value) {
            self.wrong.get_or_insert(error.to_string());
        }
        self
    }

    /// Enqueues a job with these arguments.
    pub fn perform_async(&self, args: impl Serialize) -> Push {
        self.perform(None, &args)
    }

    /// Enqueues a job for later.
    pub fn perform_in(&self, delay: Duration, args: impl Serialize) -> Push {
        let now = stand_in::now(self.options.client.as_ref());
        self.perform(Some(now.after(delay)), &args)
    }

    /// Enqueues a job for this time; one that has passed means now.
    pub fn perform_at(&self, at: DateTime<Utc>, args: impl Serialize) -> Push {
        self.perform(Some(at.into()), &args)
    }

    /// Enqueues a job for each item, 1,000 in a round trip. An item is the arguments of one job.
    pub fn perform_bulk<I>(&self, items: I) -> BulkPush
    where
        I: IntoIterator<Item: Serialize, IntoIter: Send + 'static>,
    {
        let (set, mut job) = (self.clone(), plan::bulk(self.options.jid.clone()));
        let jobs = items
            .into_iter()
            .map(move |args| job(set.new_job(None, &args)));
        BulkPush::new(self.template.class.as_str(), self.bulk_client(), Iter(jobs))
    }

    /// Enqueues a job for each item, at the item's own time; one that has passed means now. An item is a time and the
    /// arguments of one job.
    pub fn perform_bulk_at<I, A: Serialize>(&self, items: I) -> BulkPush
    where
        I: IntoIterator<Item = (DateTime<Utc>, A), IntoIter: Send + 'static>,
    {
        let (set, mut job) = (self.clone(), plan::bulk(self.options.jid.clone()));
        let jobs = items
            .into_iter()
            .map(move |(at, args)| job(set.new_job(Some(at.into()), &args)));
        BulkPush::new(self.template.class.as_str(), self.bulk_client(), Iter(jobs))
    }

    /// Enqueues a job for each item that can be pushed, and gives an outcome for each.
    pub fn perform_bulk_each<I>(&self, items: I) -> BulkEach
    where
        I: IntoIterator<Item: Serialize, IntoIter: Send + 'static>,
    {
        let (set, mut job) = (self.clone(), plan::bulk(self.options.jid.clone()));
        let jobs = items
            .into_iter()
            .map(move |args| job(set.new_job(None, &args)));
        BulkEach::new(self.template.class.as_str(), self.bulk_client(), jobs)
    }

    /// Enqueues a job for each item of a stream.
    pub fn perform_bulk_stream(
        &self,
        items: impl Stream<Item: Serialize> + Send + 'static,
    ) -> BulkPush {
        let (set, mut job) = (self.clone(), plan::bulk(self.options.jid.clone()));
        let jobs = Map::new(items, move |args| job(set.new_job(None, &args)));
        BulkPush::new(self.template.class.as_str(), self.bulk_client(), jobs)
    }

    fn bulk_client(&self) -> impl Future<Output = Result<Client, PushError>> + Send + use<> {
        default::or(self.options.client.clone(), JobId::random())
    }

    fn perform(&self, at: Option<Timestamp>, args: &impl Serialize) -> Push {
        push(self.options.client.clone(), self.new_job(at, args))
    }

    fn new_job(&self, at: Option<Timestamp>, args: &impl Serialize) -> Result<NewJob, PushError> {
        if let Some(wrong) = &self.wrong {
            return Err(PushError::invalid(&self.template.class, wrong.as_str()));
        }
        plan::job_of_class(&self.template, &self.options, at, args)
    }

    fn with(mut self, change: impl FnOnce(&mut SetOptions)) -> Self {
        change(&mut self.options);
        self
    }
}

fn push(client: Option<Client>, job: Result<NewJob, PushError>) -> Push {
    Push::new(async move {
        let job = job?;
        Ok((default::or(client, job.jid.clone()).await?, job))
    })
}

impl fmt::Debug for ClassSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClassSet({})", self.template.class)
    }
}
