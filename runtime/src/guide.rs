//! The guide: from the first job to all that a job can have, one chapter a module. Its code is compiled and run.

#[doc = include_str!("guide/first_job.md")]
pub mod first_job {}

#[doc = include_str!("guide/serving.md")]
pub mod serving {}

#[doc = include_str!("guide/middleware.md")]
pub mod middleware {}

#[doc = include_str!("guide/bulk.md")]
pub mod bulk {}

#[doc = include_str!("guide/limits.md")]
pub mod limits {}

#[doc = include_str!("guide/testing.md")]
pub mod testing {}

#[doc = include_str!("guide/failures.md")]
pub mod failures {}

#[doc = include_str!("guide/cron.md")]
pub mod cron {}

#[doc = include_str!("guide/long_jobs.md")]
pub mod long_jobs {}

#[doc = include_str!("guide/redis.md")]
pub mod redis {}

#[doc = include_str!("guide/dashboard.md")]
pub mod dashboard {}
