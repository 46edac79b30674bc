//! The test kit, used as users use it.

#![cfg(test)]

mod assertions;
mod collecting;
mod draining;
mod inline;
mod isolation;
mod server;
