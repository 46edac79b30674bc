//! The whole engine on every store.

#![cfg(test)]

mod api;
mod enqueue;
mod execute;
mod faults;
mod harness;
mod retry;
mod start;
mod stop;
