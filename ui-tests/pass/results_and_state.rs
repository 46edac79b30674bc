//! Every kind of result, and state behind a trait object.
#![deny(warnings)]

use std::error::Error;
use std::fmt;

use sancho::{Context, Outcome, job};

trait Mailer: Send + Sync {
    fn send(&self, id: i64);
}

#[derive(Debug)]
struct MailError;

impl fmt::Display for MailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no mail")
    }
}

impl Error for MailError {}

type Alias<T = ()> = Result<T, MailError>;

#[job]
async fn unit(id: i64, #[state] mailer: &dyn Mailer, #[context] cx: &Context) {
    mailer.send(id);
    tokio::task::yield_now().await;
    mailer.send(i64::from(cx.attempt()));
}

#[job]
async fn outcome(#[state] mailer: &(dyn Mailer + Sync), id: i64) -> Outcome {
    mailer.send(id);
    Outcome::Discard("no".into())
}

#[job]
async fn own_error() -> Result<(), MailError> {
    Err(MailError)
}

#[job]
fn alias() -> Alias<Outcome> {
    Ok(Outcome::Done)
}

#[job]
async fn boxed() -> Result<(), Box<dyn Error + Send + Sync>> {
    Err("x".into())
}

#[job]
async fn text() -> Result<(), String> {
    Err("x".into())
}

#[tokio::main]
async fn main() {
    assert!(own_error::perform_inline().await.is_err());
    assert!(alias::perform_inline().await.is_ok());
    assert!(boxed::perform_inline().await.is_err());
    assert!(text::perform_inline().await.is_err());
    // The state was not given.
    assert!(unit::perform_inline(1).await.is_err());
    assert!(outcome::perform_inline(1).await.is_err());
}
