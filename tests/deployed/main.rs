//! Redis as it is deployed. Each test has servers of its own, in folders of its own.

#![cfg(test)]

mod cluster;
mod login;
mod sentinel;
mod site;
mod tls;
mod warnings;
