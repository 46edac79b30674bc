//! The dashboard: its router, driven without a network, on every store.

#![cfg(test)]

mod access;
mod actions;
mod browser;
mod counting;
mod cron;
mod filled;
mod hostile;
mod languages;
mod live;
mod load;
mod masked;
mod mounted;
mod pages;
mod rest;
mod search;
mod snapshots;
