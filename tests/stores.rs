//! The stores, held to their contract: case by case ([`conformance`]), against the reference model ([`model`]), and under
//! processes that lose calls, stall and crash ([`adversary`]).

#![cfg(test)]

mod adversary;
mod conformance;
mod damage;
mod hostile;
mod model;
mod redis_alone;
