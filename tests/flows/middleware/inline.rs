//! Server middleware around jobs that run inline.

use sancho::client::InlineError;
use sancho::engine::{Execution, Middleware, Next};
use sancho::middleware::Current;
use sancho::runtime::Server;
use sancho::{Config, Failure, Outcome, current, job};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Around, wrapped};
use crate::harness::{Flow, Report, Running, flows};

/// Doubles the arguments, and tells what it sees of the job.
struct Doubles(Report);

impl Middleware for Doubles {
    async fn call(&self, job: &Execution<'_>, next: Next<'_>) -> Result<Outcome, Failure> {
        let payload: Value = serde_json::from_slice(job.payload())?;
        let (class, queue) = (job.class(), job.context().queue());
        let is_same = payload["jid"] == job.context().jid().as_str();
        self.0.send(format!("{class} {queue} {is_same}")).unwrap();
        let (n,): (i64,) = serde_json::from_slice(job.args())?;
        next.with_args(&(n * 2,))?.run().await
    }
}

/// Ends every job.
struct Ends;

impl Middleware for Ends {
    async fn call(&self, _: &Execution<'_>, _: Next<'_>) -> Result<Outcome, Failure> {
        Ok(Outcome::Discard("not today".into()))
    }
}

async fn an_inline_run_goes_through_both_chains_of_its_client(flow: Flow) {
    let (report, mut reports) = Flow::reports();
    let config = Config::new()
        .state(report.clone())
        .middleware(Around::<'c'>(report.clone()))
        .server_middleware(Around::<'s'>(report.clone()))
        .server_middleware(Doubles(report));
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    let set = || wrapped::set().client(&client).queue("here");
    assert_eq!(set().perform_inline(1).await.unwrap(), Outcome::Done);
    let seen = ["c [1]", "s [1]", "Wrapped here true", "job 2", "s after"];
    assert_eq!(reports.some(5).await, seen);

    let failed = set().perform_inline(10).await.unwrap_err();
    assert!(matches!(failed, InlineError::Failed(_)), "{failed}");
    assert!(failed.to_string().contains("no twenties"), "{failed}");
    let seen = ["c [10]", "s [10]", "Wrapped here true", "job 20", "s after"];
    assert_eq!(reports.some(5).await, seen);

    // A push goes through the one chain, as ever.
    set().perform_async(1).await.unwrap();
    assert_eq!(reports.next().await, "c [1]");
    assert!(reports.is_silent());
}

async fn an_inline_run_may_be_ended_by_middleware(flow: Flow) {
    let (report, mut reports) = Flow::reports();
    let config = Config::new().state(report).server_middleware(Ends);
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    let ended = wrapped::set().client(&client).perform_inline(1).await;
    assert_eq!(ended.unwrap(), Outcome::Discard("not today".into()));
    assert!(reports.is_silent());
}

#[derive(Serialize, Deserialize)]
struct Tenant(u32);

#[job]
async fn of_tenant(#[state] to: &Report) {
    let tenant = current::get::<Tenant>().map(|tenant| tenant.0);
    to.send(format!("{tenant:?}")).unwrap();
}

async fn an_inline_run_has_what_is_current_as_a_run_from_a_queue(flow: Flow) {
    let (report, mut reports) = Flow::reports();
    let values = Current::new().carry::<Tenant>("tenant");
    let config = Config::new()
        .state(report)
        .middleware(values.clone())
        .server_middleware(values);
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    let run = of_tenant::set().client(&client).perform_inline();
    current::scope(Tenant(7), run).await.unwrap();
    assert_eq!(reports.next().await, "Some(7)");
}

flows! {
    an_inline_run_goes_through_both_chains_of_its_client
    an_inline_run_may_be_ended_by_middleware
    an_inline_run_has_what_is_current_as_a_run_from_a_queue
}

/// A server that makes its own client, which is then the default one.
#[tokio::test]
async fn in_a_worker_an_inline_run_has_the_middleware_of_the_server() {
    let (report, mut reports) = Flow::reports();
    let server = Server::builder()
        .store("memory:")
        .only::<wrapped>()
        .state(report.clone())
        .middleware(Around::<'s'>(report));
    let server = server.build().unwrap();
    let handle = server.handle();
    let running = Running::run(server);
    handle.started().await;
    wrapped::perform_inline(1).await.unwrap();
    assert_eq!(reports.some(3).await, ["s [1]", "job 1", "s after"]);
    running.stop().await;
}
