//! What the tests share: a private Redis server, a clock that is moved by hand, and a store of each kind to test.

#![expect(
    clippy::missing_panics_doc,
    reason = "these are parts of tests: they panic where the test would"
)]

mod support;

pub use support::clock::Clock;
pub use support::effects;
pub use support::fixture::{Fixture, Kind, LEASE};
pub use support::redis_cluster::RedisCluster;
pub use support::redis_server::RedisServer;
