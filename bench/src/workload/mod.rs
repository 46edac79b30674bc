//! The questions, one a file. Each file has the same order: what is set, `measure`, one round, what is said of it.

mod allocations;
mod crew;
mod depth;
mod drain;
mod due;
mod enqueue;
mod idle;
mod latency;
mod lateness;
mod limit;
mod mix;
mod network;
mod processes;
mod retries;
mod sqlite;
mod start;
mod waits;

pub(crate) use latency::receive;

use crate::Result;
use crate::report::Section;
use crate::setting::Setting;

/// A question and how it is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    pub(crate) name: &'static str,
    pub(crate) measure: fn(&Setting) -> Result<Section>,
}

/// In the order of the page.
pub(crate) const QUESTIONS: &[Question] = &[
    question("drain", drain::measure),
    question("enqueue", enqueue::measure),
    question("latency", latency::measure),
    question("waits", waits::measure),
    question("mix", mix::measure),
    question("due", due::measure),
    question("lateness", lateness::measure),
    question("depth", depth::measure),
    question("retries", retries::measure),
    question("processes", processes::measure),
    question("network", network::measure),
    question("sqlite", sqlite::measure),
    question("start", start::measure),
    question("idle", idle::measure),
    question("allocations", allocations::measure),
];

const fn question(name: &'static str, measure: fn(&Setting) -> Result<Section>) -> Question {
    Question { name, measure }
}
