//! Callbacks that borrow state: of several types, of a trait, and of the names that generated code has.

#![deny(warnings)]
#![allow(dead_code)]

use sancho::{Cause, Exhausted, Record, RetryIn, job};

struct Limits;

trait Mailer: Send + Sync {
    fn send(&self);
}

struct Pool<T>(T);

mod callbacks {
    use super::*;

    pub(super) fn wait_for(_: u32, _: &String, _: &Limits, _: &dyn Mailer) -> RetryIn {
        RetryIn::Default
    }

    pub(super) async fn tell(
        _: &Record,
        _: &Cause<String>,
        mailer: &dyn Mailer,
        _: &Pool<Option<u32>>,
    ) -> Exhausted {
        mailer.send();
        Exhausted::Bury
    }
}

#[job(
    retry_in(callbacks::wait_for, &Limits, &dyn Mailer,),
    retries_exhausted(callbacks::tell, &dyn Mailer, &Pool<Option<u32>>)
)]
async fn report(states: u32, failure: u32) -> Result<(), String> {
    Err(format!("{states} {failure}"))
}

/// The same without parentheses, and with nothing in them but a path.
async fn quiet(_: &Record, _: &Cause<String>) {}

#[job(retries_exhausted(quiet))]
async fn other() -> Result<(), String> {
    Ok(())
}

fn main() {
    let _ = report::perform_async(1, 2);
    let _ = other::perform_async();
}
