//! The dashboard in a real browser: Chromium, on Redis, on SQLite, and on a Redis that Ruby's Sidekiq has filled.

#![cfg(test)]

mod actions;
mod demo;
mod harness;
mod keys;
mod languages;
mod live;
mod pages;
mod ruby_side;
mod screenshots;
mod site;
mod sizes;
mod webdriver;

#[path = "../interop/ruby.rs"]
#[expect(dead_code, reason = "the tests beside Ruby use more of it")]
mod ruby;
