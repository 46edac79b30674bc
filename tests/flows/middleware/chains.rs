//! Chains, and what their links may do.

use sancho::client::{ClientMiddleware, ClientNext, NewJob, Stop};
use sancho::engine::{Execution, Middleware, Next};
use sancho::runtime::Server;
use sancho::store::TimedSet;
use sancho::{Config, Failure, Outcome};
use serde_json::json;

use super::{Around, wrapped};
use crate::harness::{Flow, Report, Running, field, flows};

async fn chains_run_in_their_order(flow: Flow) {
    let (report, mut reports) = Flow::reports();
    let config = Config::new()
        .middleware(Around::<'a'>(report.clone()))
        .middleware(Around::<'x'>(report.clone()))
        .middleware_chain(|chain| {
            chain
                .prepend(Around::<'c'>(report.clone()))
                .insert_after::<Around<'a'>>(Around::<'b'>(report.clone()))
                .remove::<Around<'x'>>();
            assert!(!chain.contains::<Around<'x'>>());
        });
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    wrapped::set()
        .client(&client)
        .perform_async(1)
        .await
        .unwrap();
    assert_eq!(reports.some(3).await, ["c [1]", "a [1]", "b [1]"]);

    let (server, mut jobs) = flow.server();
    let server = server
        .only::<wrapped>()
        .middleware(Around::<'x'>(report.clone()))
        .middleware(Around::<'a'>(report.clone()))
        .middleware_chain(|chain| {
            chain
                .insert_before::<Around<'a'>>(Around::<'b'>(report.clone()))
                .remove::<Around<'x'>>();
        });
    let running = Running::start(server);
    let told = reports.some(4).await;
    assert_eq!(told, ["b [1]", "a [1]", "a after", "b after"]);
    assert_eq!(jobs.next().await, "job 1");
    running.stop().await;
}

struct Doubling;

impl Middleware for Doubling {
    async fn call(&self, job: &Execution<'_>, next: Next<'_>) -> Result<Outcome, Failure> {
        let (n,): (i64,) = serde_json::from_slice(job.args())?;
        next.with_args(&(n * 2,))?.run().await
    }
}

async fn arguments_are_changed_for_one_run(flow: Flow) {
    let (report, mut seen) = Flow::reports();
    let (server, mut reports) = flow.server();
    let server = server.only::<wrapped>().middleware(Doubling);
    let running = Running::start(server.middleware(Around::<'a'>(report)));
    let set = wrapped::set().client(&flow.client);
    set.perform_async(10).await.unwrap();
    assert_eq!(reports.next().await, "job 20");
    assert_eq!(seen.next().await, "a [20]");
    let retry = flow.until_timed(TimedSet::Retry, 1).await;
    assert_eq!(field(&retry[0].payload, "args"), json!([10]));
    assert_eq!(field(&retry[0].payload, "error_message"), "no twenties");
    // What this middleware cannot read is the failure of the job.
    flow.client.push("Wrapped", ("x",)).await.unwrap();
    let retry = flow.until_timed(TimedSet::Retry, 2).await;
    let class = |entry: &sancho::store::Entry| field(&entry.payload, "error_class");
    assert!(
        retry
            .iter()
            .any(|entry| class(entry).as_str().unwrap().starts_with("serde_json::")),
        "{retry:?}"
    );
    running.stop().await;
}

/// Ends some jobs without running them.
struct Ends;

impl Middleware for Ends {
    async fn call(&self, job: &Execution<'_>, next: Next<'_>) -> Result<Outcome, Failure> {
        match job.args() {
            b"[1]" => Ok(Outcome::Done),
            b"[2]" => Ok(Outcome::Dead("not wanted".into())),
            b"[3]" => panic!("no threes"),
            b"[4]" => next.with_args(&f64::NAN)?.run().await,
            b"[20]" => {
                let failure = next.run().await.unwrap_err();
                let text = failure.error.as_ref().unwrap();
                let text = text.downcast_ref::<String>().unwrap();
                Err(Failure::other("MyApp::Wrapped", format!("in vain: {text}")))
            }
            _ => next.run().await,
        }
    }
}

async fn a_middleware_may_end_a_job(flow: Flow) {
    let (server, mut reports) = flow.server();
    let running = Running::start(server.only::<wrapped>().concurrency(1).middleware(Ends));
    let set = wrapped::set().client(&flow.client);
    set.perform_bulk([1, 2, 3, 4, 20, 5]).await.unwrap();
    assert_eq!(reports.some(2).await, ["job 20", "job 5"]);
    let dead = flow.until_timed(TimedSet::Dead, 1).await;
    assert_eq!(field(&dead[0].payload, "args"), json!([2]));
    let retry = flow.until_timed(TimedSet::Retry, 3).await;
    let mut errors: Vec<_> = retry
        .iter()
        .map(|entry| {
            let text = |name| field(&entry.payload, name).as_str().unwrap().to_owned();
            format!("{}: {}", text("error_class"), text("error_message"))
        })
        .collect();
    errors.sort();
    assert_eq!(errors[0], "MyApp::Wrapped: in vain: no twenties");
    assert!(
        errors[1].starts_with("sancho::ArgumentError: "),
        "{errors:?}"
    );
    assert!(
        errors[2].starts_with("sancho::Panic: no threes"),
        "{errors:?}"
    );
    running.stop().await;
    assert_eq!(flow.counters().await, (6, 4));
}

/// Carries a field, and reads it again.
#[derive(Clone)]
struct Locale(Report);

impl ClientMiddleware for Locale {
    async fn call(&self, mut job: NewJob, next: ClientNext<'_>) -> Result<NewJob, Stop> {
        match &*job.args {
            "[1]" => job.set_field("locale", "fr")?,
            "[2]" => job.set_field("locale", [1, 2])?,
            "[3]" => job.set_field("jid", "mine")?,
            "[4]" => panic!("no fours"),
            "[5]" => return Ok(job),
            _ => {}
        }
        next.run(job).await
    }
}

impl Middleware for Locale {
    async fn call(&self, job: &Execution<'_>, next: Next<'_>) -> Result<Outcome, Failure> {
        let locale: Option<String> = job.field("locale")?;
        self.0.send(format!("{locale:?}")).unwrap();
        next.run().await
    }
}

async fn a_field_that_a_push_writes_is_read_at_the_run(flow: Flow) {
    let (report, mut locales) = Flow::reports();
    let locale = Locale(report);
    let config = Config::new().middleware(locale.clone());
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    let set = || wrapped::set().client(&client);
    set().perform_async(0).await.unwrap();
    set().perform_async(1).await.unwrap();
    set().perform_async(2).await.unwrap();
    let error = set().perform_async(3).await.unwrap_err().to_string();
    assert!(
        error.contains("Locale: the field \"jid\" cannot be set"),
        "{error}"
    );
    assert_eq!(flow.queue("default").await.len(), 3);

    let (server, mut reports) = flow.server();
    let server = server.only::<wrapped>().concurrency(1);
    let running = Running::start(server.middleware(locale));
    assert_eq!(locales.some(2).await, ["None", "Some(\"fr\")"]);
    assert_eq!(reports.some(2).await, ["job 0", "job 1"]);
    let retry = flow.until_timed(TimedSet::Retry, 1).await;
    assert_eq!(
        field(&retry[0].payload, "error_class"),
        "sancho::FieldError"
    );
    assert_eq!(field(&retry[0].payload, "locale"), json!([1, 2]));
    running.stop().await;
}

async fn client_middleware_that_panics_or_skips_the_rest(flow: Flow) {
    let (report, mut reports) = Flow::reports();
    let config = Config::new()
        .middleware(Locale(report.clone()))
        .middleware(Around::<'a'>(report));
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    let push = wrapped::set().client(&client).perform_async(4);
    assert!(tokio::spawn(push).await.unwrap_err().is_panic());
    assert!(flow.queue("default").await.is_empty());
    wrapped::set()
        .client(&client)
        .perform_async(5)
        .await
        .unwrap();
    assert_eq!(flow.queue("default").await.len(), 1);
    assert!(reports.is_silent());
    wrapped::set()
        .client(&client)
        .perform_async(6)
        .await
        .unwrap();
    assert_eq!(reports.next().await, "a [6]");
}

async fn a_server_changes_the_pushes_of_its_own_client_alone(flow: Flow) {
    let (report, _reports) = Flow::reports();
    let builder = || {
        Server::builder()
            .only::<wrapped>()
            .state(report.clone())
            .client_middleware_chain(|chain| _ = chain.add(Around::<'a'>(report.clone())))
    };
    assert!(builder().store("memory:").build().is_ok());
    let error = builder().client(&flow.client).build().unwrap_err();
    assert!(
        error.to_string().contains("the client's `Config`"),
        "{error}"
    );
}

flows! {
    chains_run_in_their_order
    arguments_are_changed_for_one_run
    a_middleware_may_end_a_job
    a_field_that_a_push_writes_is_read_at_the_run
    client_middleware_that_panics_or_skips_the_rest
    a_server_changes_the_pushes_of_its_own_client_alone
}
