//! Real processes are killed, stopped and starved, and what they did is counted.
//!
//! Everything is proven from outside: jobs append to a file, which survives their process, and the store is asked in the end.

#![cfg(test)]

#[macro_use]
mod site;
mod deploys;
mod fencing;
mod ledger;
mod long;
mod matrix;
mod poison;
mod proxy;
mod redis_faults;
mod report;
mod shutdown;
mod sqlite_faults;
