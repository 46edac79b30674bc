//! Ruby's own Sidekiq and we on one Redis: each side does to the other's jobs and processes what it does to its own.

#![cfg(test)]

mod failures;
mod harness;
mod http;
mod iterating;
mod log;
mod processes;
mod pushed_here;
mod pushed_there;
mod ruby;
mod together;
mod web;
