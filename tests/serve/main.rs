//! `runtime::serve()`, in a built worker: its arguments, its config file, its environment, its signals and its log.

#![cfg(test)]
#![cfg(unix)]

mod deploy;
mod health;
mod process;
mod schedule;
mod settings;
mod signals;
mod systemd;
