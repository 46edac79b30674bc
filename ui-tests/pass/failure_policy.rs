//! Rules and callbacks in every form.

#![deny(warnings)]

use std::io;
use std::time::Duration;

use sancho::job::Never;
use sancho::{Cause, Exhausted, Outcome, Record, RetryIn, job};

mod errors {
    #[derive(Debug, PartialEq)]
    pub enum MailError {
        Timeout,
        Limited { after: u32 },
        Io(String),
    }

    impl std::fmt::Display for MailError {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "{self:?}")
        }
    }

    impl std::error::Error for MailError {}
}
use errors::MailError;

const LIMIT: u32 = 3;

fn by_count(count: u32) -> Duration {
    Duration::from_secs(count.into())
}

fn wait_for(_count: u32, _error: &MailError) -> RetryIn {
    RetryIn::Default
}

async fn tell(_job: &Record, _cause: &Cause<MailError>) {}

#[job(
    retry_on(MailError::Timeout | MailError::Io(_), wait = "1h30m", attempts = 3,),
    retry_on(| MailError::Limited { after } if *after > LIMIT && !matches!(after, 7), wait = by_count),
    retry_on(errors::MailError::Limited { after: 1..=2 }, wait = exponential),
    discard_on(error if error.to_string().is_empty()),
    discard_on(error @ MailError::Limited { .. } if *error == MailError::Timeout),
    retry_on(MailError::Limited { .. }, attempts = 1, wait = 5),
    retry_in = wait_for,
    retries_exhausted = tell
)]
async fn many(error: u32) -> Result<Outcome, MailError> {
    Err(MailError::Limited { after: error })
}

// All of it covered, so that nothing is left over.
#[job(discard_on(_))]
fn discards_all() -> Result<(), MailError> {
    Err(MailError::Io(String::new()))
}

#[job(retry_on(MailError::Timeout), discard_on(MailError::Limited { .. } | MailError::Io(_)))]
async fn covered() -> Result<(), MailError> {
    Err(MailError::Timeout)
}

type Boxed = Box<dyn std::error::Error + Send + Sync>;

fn any_error(_: u32, error: &Boxed) -> RetryIn {
    if error.is::<io::Error>() { RetryIn::Kill } else { RetryIn::After(Duration::ZERO) }
}

async fn result(_: &Record, _: &Cause<Boxed>) -> Result<Exhausted, io::Error> {
    Ok(Exhausted::Discard)
}

#[job(retry_on(error if error.is::<io::Error>()), retry_in = any_error, retries_exhausted = self::result)]
async fn boxed() -> Result<(), Boxed> {
    Ok(())
}

async fn cannot_fail(_: &Record, cause: &Cause<Never>) -> Exhausted {
    match cause {
        Cause::Panicked(_) => Exhausted::Bury,
        _ => Exhausted::Discard,
    }
}

#[job(retries_exhausted = cannot_fail)]
async fn nothing() {}

macro_rules! with {
    ($pattern:pat, $attempts:literal, $wait:expr) => {
        #[job(retry_on($pattern, attempts = $attempts, wait = $wait))]
        async fn in_a_macro() -> Result<(), MailError> {
            Ok(())
        }
    };
}
with!(MailError::Timeout, 4, "5s");

fn main() {
    drop(many::perform_async(1));
    drop(discards_all::perform_async());
    drop(covered::perform_async());
    drop(boxed::perform_async());
    drop(nothing::perform_async());
    drop(in_a_macro::perform_async());
}
