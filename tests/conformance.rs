//! One case for each rule of the store contract, run on every store. No case asks which one it is on.
//!
//! The holes that a careless store has, and where each is tested:
//!
//! | hole | tested by |
//! | --- | --- |
//! | A1 claim or takeover whose answer is lost | `holes::a01_*`, `adversary` |
//! | A2 claim by an evicted owner | `holes::a02_*`, `adversary` |
//! | A3 command that arrives late | `holes::a03_*`, `adversary` |
//! | A4 key of another type among the queues | `redis_alone::a04_*` |
//! | A5 effect that fails (type, ACL) | `redis_alone::a05_*`; its order: `holes::a05_*` |
//! | A6 out of memory | `redis_alone::a06_*` |
//! | A7 client that repeats commands by itself | `redis_alone::connections::a07_*` |
//! | A8 repeated commit | `holes::a08_*`, `adversary` |
//! | A9 writes lost by the server: claims that nobody knows | `holes::a09_*` |
//! | A10 promotion that keeps the bytes | `holes::a10_*`, `adversary` |
//! | A11 `now` from a host's clock | `holes::a11_*` |
//! | A12 payload that kills who takes it over | `holes::a12_*` |
//! | A13 size and order of a takeover | `holes::a13_*`, `adversary` |
//! | A14 dropped wake-up between two commits | `holes::a14_*` |
//! | A15 the same bytes twice in a timed set | `holes::a15_*` |
//! | A16 undeclared keys | `redis_alone::a16_*` |
//! | A17 limits of a script | `holes::a17_*`, `redis_alone::a17_*` |
//! | A18 pause that lets jobs through | `holes::a18_*` |
//! | A19 trim | `holes::a19_*` |

use sancho_tests::{Fixture, Kind};

/// Registers cases, plain `async fn(Fixture)`s of the same module, as a test on each store. A case that is not listed is
/// never used, which the compiler reports.
macro_rules! store_conformance {
    ($($case:ident),+ $(,)?) => {
        store_conformance! { on_memory: Memory: $($case),+ }
        store_conformance! { on_sqlite: Sqlite: $($case),+ }
        store_conformance! { on_redis: Redis: $($case),+ }
        store_conformance! { on_cluster: Cluster: $($case),+ }
    };
    ($store:ident: $kind:ident: $($case:ident),+) => {
        mod $store {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(super::Fixture::new(super::Kind::$kind).await).await;
                }
            )+
        }
    };
}

mod checking;
mod claims;
mod holes;
mod inspecting;
mod notes;
mod owners;
mod queues;
mod repeats;
mod takeover;
mod transactions;
mod waiting;
