//! The guide: from the first job to all that a job can have, one chapter a module. Its code is compiled and run.
//!
//! # Jobs
//! 1. [The first job](first_job): a function, a push, a server.
//! 2. [Failures](failures): retries, waits by the job's own error type, the last word before the dead set; what happens when the arguments of
//!    a job change.
//! 3. [Limits](limits): how long a job may take, and how one is cancelled.
//! 4. [Long jobs](long_jobs): checkpoints that survive deploys, and one call for each item of a source.
//! 5. [Bulk](bulk): many jobs at once, and spread over time.
//! 6. [Cron](cron): jobs that come by themselves.
//!
//! # Around them
//! 7. [Middleware](middleware): your code around each push and each run; values that go along; handlers of errors and deaths; hooks.
//! 8. [Testing](testing): what a test says of a job, of what was enqueued, and of a whole server.
//!
//! # In production
//! 9. [Serving](serving): arguments, config file, queues, capsules, signals, logs.
//! 10. [Dashboard](dashboard): the web pages, in a worker or in an application.
//!
//! Who comes from Ruby finds every call of Sidekiq, Active Job, sidekiq-cron and `Sidekiq::Testing`, and its place here, in
//! [From Sidekiq](from_sidekiq).

#[doc = include_str!("guide/first_job.md")]
pub mod first_job {}

#[doc = include_str!("guide/failures.md")]
pub mod failures {}

#[doc = include_str!("guide/limits.md")]
pub mod limits {}

#[doc = include_str!("guide/long_jobs.md")]
pub mod long_jobs {}

#[doc = include_str!("guide/bulk.md")]
pub mod bulk {}

#[doc = include_str!("guide/cron.md")]
pub mod cron {}

#[doc = include_str!("guide/middleware.md")]
pub mod middleware {}

#[doc = include_str!("guide/testing.md")]
pub mod testing {}

#[doc = include_str!("guide/serving.md")]
pub mod serving {}

#[doc = include_str!("guide/observing.md")]
pub mod observing {}

#[doc = include_str!("guide/redis.md")]
pub mod redis {}

#[doc = include_str!("guide/dashboard.md")]
pub mod dashboard {}

#[doc = include_str!("guide/from_sidekiq.md")]
pub mod from_sidekiq {}
