//! The whole engine on every store.

#![cfg(test)]

mod active_job;
mod enqueue;
mod execute;
mod faults;
mod harness;
mod retry;
mod start;
mod stop;
