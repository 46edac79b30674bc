//! Middleware on both sides, and that which comes with Sancho.

mod chains;
mod current;
mod inline;
mod tower;

use sancho::client::{ClientMiddleware, ClientNext, NewJob, Stop};
use sancho::engine::{Execution, Middleware, Next};
use sancho::{Failure, Outcome, job};

use crate::harness::Report;

#[job]
async fn wrapped(n: i64, #[state] to: &Report) -> Result<(), String> {
    to.send(format!("job {n}")).unwrap();
    if n == 20 {
        return Err("no twenties".into());
    }
    Ok(())
}

/// Reports before and after, and what it sees of the arguments.
#[derive(Clone)]
struct Around<const NAME: char>(Report);

impl<const NAME: char> Middleware for Around<NAME> {
    async fn call(&self, job: &Execution<'_>, next: Next<'_>) -> Result<Outcome, Failure> {
        let args = String::from_utf8_lossy(job.args());
        self.0.send(format!("{NAME} {args}")).unwrap();
        let result = next.run().await;
        self.0.send(format!("{NAME} after")).unwrap();
        result
    }
}

impl<const NAME: char> ClientMiddleware for Around<NAME> {
    async fn call(&self, job: NewJob, next: ClientNext<'_>) -> Result<NewJob, Stop> {
        self.0.send(format!("{NAME} {}", job.args)).unwrap();
        next.run(job).await
    }
}
