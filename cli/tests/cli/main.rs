//! The built command, on a SQLite file and on a Redis.

#![cfg(test)]

mod cron;
mod harness;
mod itself;
mod jobs;
mod mistakes;
mod relocate;
mod screens;
mod transfer;
