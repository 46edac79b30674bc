//! Middleware on both sides, and that which comes with Sancho.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Poller, Poll};
use std::time::Duration;

use sancho::client::{ClientMiddleware, ClientNext, NewJob, Stop};
use sancho::engine::{Execution, Middleware, Next};
use sancho::middleware::{Current, Tower, TowerCall, Trace, TraceContext};
use sancho::runtime::Server;
use sancho::store::TimedSet;
use sancho::{Client, Config, Failure, Outcome, current, job};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tower::limit::ConcurrencyLimitLayer;
use tower::timeout::TimeoutLayer;
use tower::{Layer, Service};

use crate::harness::{Flow, Report, Running, field, flows};

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

#[derive(Serialize, Deserialize)]
struct Tenant(u32);

fn tenant() -> String {
    match current::get::<Tenant>() {
        Some(tenant) => format!("tenant {}", tenant.0),
        None => "no tenant".into(),
    }
}

#[job]
async fn of_tenant(#[state] to: &Report, #[state] client: &Client) {
    to.send(tenant()).unwrap();
    let set = || of_tenant_blocking::set().client(client);
    set().queue("elsewhere").perform_async().await.unwrap();
    set().perform_async().await.unwrap();
}

#[job]
fn of_tenant_blocking(#[state] to: &Report) {
    to.send(format!("blocking {}", tenant())).unwrap();
}

async fn current_values_go_on_from_push_to_run(flow: Flow) {
    let values = Current::new().carry::<Tenant>("tenant");
    let config = Config::new().middleware(values.clone());
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    let (server, mut reports) = flow.server();
    let server = server
        .only::<of_tenant>()
        .only::<of_tenant_blocking>()
        .state(client.clone())
        .middleware(values);
    let running = Running::start(server);
    let push = of_tenant::set().client(&client).perform_async();
    current::scope(Tenant(7), push).await.unwrap();
    assert_eq!(reports.some(2).await, ["tenant 7", "blocking tenant 7"]);
    of_tenant::set()
        .client(&client)
        .perform_async()
        .await
        .unwrap();
    assert_eq!(reports.some(2).await, ["no tenant", "blocking no tenant"]);

    // What another program carries goes on as it is.
    flow.push_raw(
        "default",
        br#"{"class":"OfTenant","args":[],"jid":"a","sancho_current":{"big":12345678901234567890123,"tenant":8}}"#,
    )
    .await;
    assert_eq!(reports.some(2).await, ["tenant 8", "blocking tenant 8"]);
    let pushed = flow.queue("elsewhere").await;
    assert!(
        pushed[2].contains(r#""sancho_current":{"big":12345678901234567890123,"tenant":8}"#),
        "{pushed:?}"
    );
    assert!(!pushed[1].contains("sancho_current"), "{pushed:?}");

    flow.push_raw(
        "default",
        br#"{"class":"OfTenant","args":[],"jid":"b","sancho_current":{"tenant":"eight"}}"#,
    )
    .await;
    let retry = flow.until_timed(TimedSet::Retry, 1).await;
    assert_eq!(
        field(&retry[0].payload, "error_class"),
        "sancho::CurrentError"
    );
    running.stop().await;
    assert!(reports.is_silent());
}

#[derive(Serialize, Deserialize)]
struct Share(f64);

async fn a_current_value_that_is_no_json_stops_the_push(flow: Flow) {
    let config = Config::new().middleware(Current::new().carry::<Share>("share"));
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    let push = wrapped::set().client(&client).perform_async(1);
    let error = current::scope(Share(f64::NAN), push).await.unwrap_err();
    assert!(
        error.to_string().contains("\"share\" cannot be carried"),
        "{error}"
    );
    assert!(flow.queue("default").await.is_empty());
}

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[job]
async fn traced(#[state] to: &Report, #[state] client: &Client) {
    let context = current::get::<TraceContext>();
    let told = context.map_or("no trace".into(), |context| context.to_string());
    to.send(told).unwrap();
    let set = wrapped::set().client(client).queue("elsewhere");
    set.perform_async(1).await.unwrap();
}

async fn a_trace_goes_on_from_push_to_run(flow: Flow) {
    let config = Config::new().middleware(Trace::new());
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    let context = TraceContext::parse(PARENT, Some("vendor=1")).unwrap();
    let push = traced::set().client(&client).perform_async();
    current::scope(context.clone(), push).await.unwrap();
    let pushed = flow.queue("default").await;
    assert_eq!(field(pushed[0].as_bytes(), "traceparent"), PARENT);
    assert_eq!(field(pushed[0].as_bytes(), "tracestate"), "vendor=1");

    let (server, mut reports) = flow.server();
    // One after the other, so that what they push stands in their order.
    let server = server.only::<traced>().concurrency(1);
    let server = server.state(client.clone()).middleware(Trace::new());
    let running = Running::start(server);
    let run = reports.next().await;
    let run = TraceContext::parse(&run, None).unwrap();
    assert_eq!(run.trace_id(), context.trace_id());
    assert_ne!(run.span_id(), context.span_id());
    assert!(run.is_sampled());

    for raw in ["", r#","traceparent":"00-xyz""#, r#","traceparent":7"#] {
        let payload = format!(r#"{{"class":"Traced","args":[],"jid":"a"{raw}}}"#);
        flow.push_raw("default", payload.as_bytes()).await;
        assert_eq!(reports.next().await, "no trace");
    }
    running.stop().await;
    let pushed = flow.queue("elsewhere").await;
    assert_eq!(field(pushed[0].as_bytes(), "traceparent"), run.to_string());
    assert_eq!(field(pushed[0].as_bytes(), "tracestate"), "vendor=1");
    assert!(!pushed[1].contains("trace"), "{pushed:?}");
}

async fn a_source_says_what_is_current(flow: Flow) {
    let source = || TraceContext::parse(PARENT, None);
    let config = Config::new().middleware(Trace::new().source(source));
    let client = sancho::testing::client_with(flow.store().clone(), &config);
    client.push("Ruby", ()).await.unwrap();
    let set = client.job("Ruby").field("traceparent", "mine");
    set.perform_async(()).await.unwrap();
    let pushed = flow.queue("default").await;
    assert_eq!(field(pushed[0].as_bytes(), "traceparent"), PARENT);
    assert_eq!(field(pushed[1].as_bytes(), "traceparent"), "mine");
}

#[job]
async fn pending(#[state] to: &Report) {
    to.send("pending".into()).unwrap();
    std::future::pending::<()>().await;
}

async fn a_timeout_of_tower_is_a_failure(flow: Flow) {
    let (server, mut reports) = flow.server();
    let layer = TimeoutLayer::new(Duration::from_millis(20));
    let server = server.only::<pending>().only::<wrapped>();
    let running = Running::start(server.middleware(Tower::new(&layer)));
    pending::set()
        .client(&flow.client)
        .perform_async()
        .await
        .unwrap();
    assert_eq!(reports.next().await, "pending");
    let retry = flow.until_timed(TimedSet::Retry, 1).await;
    assert_eq!(
        field(&retry[0].payload, "error_message"),
        "request timed out"
    );
    assert_eq!(field(&retry[0].payload, "error_class"), "Box<dyn Error>");
    let wrapped = wrapped::set().client(&flow.client);
    wrapped.perform_async(1).await.unwrap();
    assert_eq!(reports.next().await, "job 1");
    running.stop().await;
}

/// Holds its thread until it is told to end.
#[job(retry = 3)]
fn holds(#[state] gate: &Gate, #[state] to: &Report) {
    to.send("holds".into()).unwrap();
    gate.0.lock().unwrap().recv().unwrap();
    to.send("let go".into()).unwrap();
}

struct Gate(std::sync::Mutex<std::sync::mpsc::Receiver<()>>);

async fn a_job_that_middleware_dropped_keeps_its_slot_while_it_runs(flow: Flow) {
    let (server, mut reports) = flow.server();
    let (open, gate) = std::sync::mpsc::channel();
    let layer = TimeoutLayer::new(Duration::from_millis(20));
    let server = server
        .only::<holds>()
        .state(Gate(std::sync::Mutex::new(gate)))
        .middleware(Tower::new(&layer));
    let running = Running::start(server);
    holds::set()
        .client(&flow.client)
        .perform_async()
        .await
        .unwrap();
    assert_eq!(reports.next().await, "holds");
    // It is stuck, and settled as such, before its thread ends; until then its slot is not free.
    let retry = flow.until_timed(TimedSet::Retry, 1).await;
    assert_eq!(field(&retry[0].payload, "error_class"), "sancho::GivenUp");
    open.send(()).unwrap();
    assert_eq!(reports.next().await, "let go");
    running.stop().await;
}

/// How many run now, and how many ran at once at most.
#[derive(Default)]
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
}

#[job]
async fn crowds(#[state] crowd: &Crowd, #[state] to: &Report) {
    let now = crowd.now.fetch_add(1, Ordering::SeqCst) + 1;
    crowd.most.fetch_max(now, Ordering::SeqCst);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    crowd.now.fetch_sub(1, Ordering::SeqCst);
    to.send("done".into()).unwrap();
}

async fn a_limit_of_tower_holds_for_all_jobs_together(flow: Flow) {
    let crowd = Arc::new(Crowd::default());
    let (server, mut reports) = flow.server();
    let layer = ConcurrencyLimitLayer::new(2);
    let server = server
        .only::<crowds>()
        .state_arc(crowd.clone())
        .concurrency(8)
        .middleware(Tower::new(&layer));
    let running = Running::start(server);
    let set = crowds::set().client(&flow.client);
    set.perform_bulk([(); 40]).await.unwrap();
    reports.some(40).await;
    running.stop().await;
    assert_eq!(crowd.most.load(Ordering::SeqCst), 2);
}

/// A layer that somebody wrote for this.
#[derive(Clone)]
struct Telling(Report);

#[derive(Clone)]
struct Tells<S>(S, Report);

impl<S> Layer<S> for Telling {
    type Service = Tells<S>;

    fn layer(&self, inner: S) -> Tells<S> {
        Tells(inner, self.0.clone())
    }
}

impl<'a, S: Service<TowerCall<'a>>> Service<TowerCall<'a>> for Tells<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Poller<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, call: TowerCall<'a>) -> S::Future {
        let class = call.execution().class();
        self.1.send(format!("layer of {class}")).unwrap();
        self.0.call(call)
    }
}

async fn a_layer_of_ones_own_sees_the_job_and_hands_its_failure_on(flow: Flow) {
    let (report, mut told) = Flow::reports();
    let (server, _reports) = flow.server();
    let server = server.only::<wrapped>();
    let running = Running::start(server.middleware(Tower::new(&Telling(report))));
    let set = wrapped::set().client(&flow.client);
    set.perform_async(20).await.unwrap();
    assert_eq!(told.next().await, "layer of Wrapped");
    let retry = flow.until_timed(TimedSet::Retry, 1).await;
    assert_eq!(field(&retry[0].payload, "error_class"), "String");
    assert_eq!(field(&retry[0].payload, "error_message"), "no twenties");
    running.stop().await;
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
    current_values_go_on_from_push_to_run
    a_current_value_that_is_no_json_stops_the_push
    a_trace_goes_on_from_push_to_run
    a_source_says_what_is_current
    a_timeout_of_tower_is_a_failure
    a_job_that_middleware_dropped_keeps_its_slot_while_it_runs
    a_limit_of_tower_holds_for_all_jobs_together
    a_layer_of_ones_own_sees_the_job_and_hands_its_failure_on
    a_server_changes_the_pushes_of_its_own_client_alone
}
