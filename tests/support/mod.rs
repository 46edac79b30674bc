//! See the crate's own page.

pub(crate) mod clock;
pub mod effects;
pub(crate) mod fixture;
pub(crate) mod redis_cluster;
pub(crate) mod redis_server;
