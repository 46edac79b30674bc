//! The whole engine on every store.

#![cfg(test)]

mod active_job;
mod by_class;
mod enqueue;
mod execute;
mod faults;
mod harness;
mod presence;
mod retry;
mod start;
mod stop;
