//! The whole engine on every store.

#![cfg(test)]

mod active_job;
mod api;
mod bad_input;
mod bulk;
mod burial;
mod by_class;
mod cancel;
mod cron;
mod death;
mod doctor;
mod enqueue;
mod execute;
mod far;
mod faults;
mod golden;
mod harness;
mod hooks;
mod hostile;
mod iterate;
mod limits;
mod long_jobs;
mod middleware;
mod observing;
mod opentelemetry;
mod payloads;
mod policy;
mod presence;
mod queues;
mod retry;
mod rules;
mod start;
mod stepped;
mod stop;
mod versions;
